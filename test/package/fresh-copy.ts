import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFiles, root } from "../helpers/repository.js";

/** A folder that is gone after `remove`. */
export interface Folder {
  readonly path: string;
  remove(): Promise<void>;
}

export async function emptyFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "opscore-package-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** What a clone of the project would be if everything in the work tree were committed: nothing installed, nothing built. */
export async function freshCopy(): Promise<Folder> {
  const folder = await emptyFolder();
  for (const file of projectFiles()) await cp(join(root, file), join(folder.path, file), { verbatimSymlinks: true });
  return folder;
}
