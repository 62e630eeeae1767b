import { describePageCost } from "../storage/redis/page-cost-suite.js";

describePageCost(1_000, 100_000);
