import type { DescEnum, DescExtension, DescFile, DescMessage, DescService } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";

/** The descriptors of some services and of everything they refer to, by file name and by symbol. */
export class DescriptorIndex {
  private readonly files = new Map<string, DescFile>();
  /** Fully qualified names, each with the file that declares it. */
  private readonly symbols = new Map<string, DescFile>();

  constructor(services: Iterable<DescService>) {
    for (const { file } of services) this.addFile(file);
  }

  /** @param name with its path and ending: `opscore/v1/common.proto` */
  fileByName(name: string): DescFile | undefined {
    return this.files.get(name);
  }

  /** @param symbol of a service, method, message, field, oneof, enum or enum value: `opscore.v1.StateService.SetState` */
  fileContaining(symbol: string): DescFile | undefined {
    return this.symbols.get(symbol);
  }

  private addFile(file: DescFile): void {
    if (this.files.has(file.proto.name)) return;
    this.files.set(file.proto.name, file);
    for (const dependency of file.dependencies) this.addFile(dependency);
    for (const type of nestedTypes(file)) {
      this.symbols.set(type.typeName, file);
      for (const member of membersOf(type)) this.symbols.set(member, file);
    }
  }
}

/** `file` and everything that it imports, directly or not, each once, `file` first. */
export function withDependencies(file: DescFile): DescFile[] {
  const all = new Set<DescFile>();
  const add = (one: DescFile): void => {
    if (all.has(one)) return;
    all.add(one);
    one.dependencies.forEach(add);
  };
  add(file);
  return [...all];
}

function membersOf(type: DescMessage | DescEnum | DescExtension | DescService): string[] {
  switch (type.kind) {
    case "message":
      return messageMembers(type);
    case "service":
      return type.methods.map(({ name }) => `${type.typeName}.${name}`);
    case "enum":
      // As in C++, the values of an enum are siblings of the enum, not its children.
      return type.values.map(({ name }) => `${scopeOf(type.typeName)}${name}`);
    case "extension":
      return [];
  }
}

function messageMembers({ typeName, fields, oneofs }: DescMessage): string[] {
  return [...fields, ...oneofs].map(({ name }) => `${typeName}.${name}`);
}

/** The name up to and including its last dot. */
function scopeOf(typeName: string): string {
  return typeName.slice(0, typeName.lastIndexOf(".") + 1);
}
