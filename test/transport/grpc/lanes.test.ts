import { describeLanesContract } from "../../contract/lanes.js";

describeLanesContract(["connect", "grpc-js"]);
