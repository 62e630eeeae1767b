import type { DescService } from "@bufbuild/protobuf";
import { createServiceImplSpec, type ConnectRouter, type MethodImplSpec, type ServiceImpl } from "@connectrpc/connect";
import { rpcName } from "../interceptors/index.js";

/**
 * The services of one server. Every lane takes them from here, so all of them run the very same implementations.
 */
export class RouteTable {
  private readonly registrations: ((router: ConnectRouter) => void)[] = [];
  private readonly byPath = new Map<string, MethodImplSpec>();
  private readonly described: DescService[] = [];

  /** Adds a service; methods without an implementation answer UNIMPLEMENTED. */
  service<T extends DescService>(desc: T, implementation: Partial<ServiceImpl<T>>): this {
    this.described.push(desc);
    this.registrations.push((router) => router.service(desc, implementation));
    for (const spec of Object.values(createServiceImplSpec(desc, implementation).methods)) {
      this.byPath.set(`/${rpcName(spec.method)}`, spec);
    }
    return this;
  }

  get services(): readonly DescService[] {
    return this.described;
  }

  /** Methods by their path: `/opscore.v1.StateService/SetState`. */
  get methods(): ReadonlyMap<string, MethodImplSpec> {
    return this.byPath;
  }

  /** Registers the services with Connect's router. */
  register(router: ConnectRouter): void {
    for (const register of this.registrations) register(router);
  }

  /** The paths at which a client may go on sending for as long as it likes. */
  clientStreamPaths(): ReadonlySet<string> {
    return new Set(
      [...this.byPath]
        .filter(([, { kind }]) => kind === "client_streaming" || kind === "bidi_streaming")
        .map(([path]) => path),
    );
  }
}
