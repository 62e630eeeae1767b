import { createMemoryStorage } from "../../../src/storage/memory/index.js";
import { describeStorageModel } from "../../contract/storage-model.js";
import { describeStorageContract, type StorageFactory } from "../../contract/storage.js";
import { describeTaskModel } from "../../contract/task-model.js";
import { FakeClock } from "../../helpers/fake-clock.js";

const factory: StorageFactory = (limits) => {
  const clock = new FakeClock();
  const storage = createMemoryStorage({ clock, ...limits });
  return Promise.resolve({
    storage,
    replica: storage,
    advance: (ms) => {
      clock.advance(ms);
      return Promise.resolve();
    },
    close: () => {
      storage.close();
      return Promise.resolve();
    },
  });
};

describeStorageContract("memory", factory);
describeStorageModel("memory", factory, { runs: 300, exactTime: true });
describeTaskModel("memory", factory, { runs: 120, exactTime: true });
