import { describe, expect, it } from "vitest";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { openSubject, refusal, type Deployment } from "./subject.js";

export function webhooksContract(deployment: () => Deployment): void {
  describe("webhooks", () => {
    it("made on one replica are the other's too, without their secret", async () => {
      const { here, there } = openSubject(deployment());
      const { webhook, secret } = await here.webhooks.createWebhook({
        webhookId: "w",
        url: "https://subscriber.example/events",
        filter: { agentIds: ["nobody"], states: [State.ERROR] },
      });
      expect(secret).not.toBe("");
      expect((await there.webhooks.getWebhook({ webhookId: "w" })).webhook).toMatchObject({
        webhookId: "w",
        url: webhook?.url,
        filter: webhook?.filter,
        createTime: webhook?.createTime,
      });
      expect((await there.webhooks.listWebhooks({})).webhooks.map(({ webhookId }) => webhookId)).toEqual(["w"]);
      const again = { webhookId: "w", url: "https://subscriber.example/events" };
      expect(await refusal(there.webhooks.createWebhook(again))).toBe("WEBHOOK_ALREADY_EXISTS");
      await there.webhooks.deleteWebhook({ webhookId: "w" });
      expect(await refusal(here.webhooks.getWebhook({ webhookId: "w" }))).toBe("WEBHOOK_NOT_FOUND");
    });

    it("made at the same time through both replicas are no more than a namespace may have", async () => {
      const { here, there } = openSubject(deployment());
      const create = (n: number) =>
        (n % 2 === 0 ? here : there).webhooks.createWebhook({ url: "https://subscriber.example/events" });
      const made = await Promise.allSettled(Array.from({ length: 120 }, (_, n) => create(n)));
      const refused = made.filter((outcome) => outcome.status === "rejected");
      expect(await Promise.all(refused.map(({ reason }) => refusal(Promise.reject(reason as Error))))).toEqual(
        Array.from({ length: 20 }, () => "TOO_MANY"),
      );
      expect((await there.webhooks.listWebhooks({ pageSize: 200 })).webhooks).toHaveLength(100);
    });
  });
}
