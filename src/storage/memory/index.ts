import { MemoryStorage } from "./memory-storage.js";
import { MEMORY_STORAGE_DEFAULTS, type MemoryStorageOptions } from "./options.js";

export { MemoryStorage } from "./memory-storage.js";
export { MEMORY_STORAGE_DEFAULTS, type MemoryStorageOptions } from "./options.js";

/** Makes an empty storage that lives in this process. */
export function createMemoryStorage(options: MemoryStorageOptions = {}): MemoryStorage {
  return new MemoryStorage({ ...MEMORY_STORAGE_DEFAULTS, ...options });
}
