-- What is kept of agents that were deregistered: their history, and their last incarnation, so that one that comes back gets the
-- next. `removals` lists them by age.
--
-- @include agent

local function removalMember(namespace, id)
  return namespace .. "/" .. id
end

local function bury(agent)
  redis.call("HSET", entityKey(agent.part, NAMES.removed, agent.namespace, agent.id), "incarnation",
    int(agent.state.incarnation), "time", int(agent.state.time))
  redis.call("ZADD", agent.part.base .. NAMES.removals, int(agent.state.time), removalMember(agent.namespace, agent.id))
end

-- The last incarnation of an agent that registers again; 0 when nothing is known of it.
local function lastIncarnation(part, namespace, id)
  local key = entityKey(part, NAMES.removed, namespace, id)
  return tonumber(read("HGET", key, "incarnation") or 0) or fail("CORRUPT", key)
end

-- Takes an agent back: its history goes on.
local function exhume(part, namespace, id)
  redis.call("DEL", entityKey(part, NAMES.removed, namespace, id))
  redis.call("ZREM", part.base .. NAMES.removals, removalMember(namespace, id))
end

-- Drops up to `budget` that are too old or too many.
local function forgetRemoved(part, budget)
  local list = part.base .. NAMES.removals
  local count = redis.call("ZCARD", list)
  for _ = 1, budget do
    local member, time = unpack(redis.call("ZRANGE", list, 0, 0, "WITHSCORES"))
    if not member or (count <= SETTINGS.removed_limit and tonumber(time) >= NOW_MS - SETTINGS.history_age_ms) then
      return
    end
    redis.call("ZREM", list, member)
    redis.call("DEL", part.base .. NAMES.removed .. member, part.base .. NAMES.history .. member)
    count = count - 1
  end
end
