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
  });
}
