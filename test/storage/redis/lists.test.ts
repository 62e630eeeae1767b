import { describePageCost } from "./page-cost-suite.js";

describePageCost(1_000, 10_000);
