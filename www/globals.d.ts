/** The page's stage, for the browser's console and for tests. */
declare var understudy: import("./stage.js").Stage | undefined;
/** The lab's driver, where that is on show. */
declare var understudyLab: import("./failover.js").Failover | undefined;
