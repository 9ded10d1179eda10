import tseslint from "typescript-eslint";

/** Ways to turn text into markup: table names and values are anybody's bytes. */
const MARKUP = ["innerHTML", "outerHTML", "dangerouslySetInnerHTML", "srcdoc"];

export default tseslint.config(
  { ignores: ["dist", "dist-dev", "node_modules", "pkg", "www/public"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: ["./www/tsconfig.json", "./tests/e2e/tsconfig.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "no-var": "off",
      "no-restricted-properties": [
        "error",
        ...MARKUP.map((property) => ({ property, message: "use textContent" })),
        { property: "insertAdjacentHTML", message: "use textContent" },
        { object: "document", property: "write", message: "use textContent" },
      ],
      "no-restricted-syntax": [
        "error",
        { selector: `JSXAttribute[name.name=/^(${MARKUP.join("|")})$/]`, message: "use text children" },
        {
          selector: "JSXAttribute[name.name='style'] > Literal",
          message: "the policy allows no inline styles",
        },
      ],
      eqeqeq: "error",
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", name: ["default", "test"], package: "node:test" }] },
      ],
      "max-lines": ["error", 320],
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowNullish: true },
      ],
      "@typescript-eslint/no-unnecessary-condition": ["error", { allowConstantLoopConditions: true }],
    },
  },
  { files: ["**/*.mjs", "eslint.config.js"], ...tseslint.configs.disableTypeChecked },
);
