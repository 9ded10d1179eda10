/** The page's stage, for the browser's console and for tests. */
declare var understudy: import("./stage.js").Stage | undefined;
