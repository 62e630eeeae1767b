import { createMemoryStorage } from "../../../src/storage/memory/index.js";
import { describeStorageContract } from "../../contract/storage.js";
import { FakeClock } from "../../helpers/fake-clock.js";

describeStorageContract("memory", (limits) => {
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
});
