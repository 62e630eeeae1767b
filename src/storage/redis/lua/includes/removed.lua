-- What is kept of agents that were deregistered: their history, and their last incarnation, so that one that comes back gets the
-- next. `removals` lists them in the order of their removal, by its revision.
--
-- @include agent

local function removalMember(namespace, id)
  return namespace .. "/" .. id
end

local function bury(agent)
  redis.call("HSET", entityKey(agent.part, NAMES.removed, agent.namespace, agent.id), "incarnation",
    int(agent.state.incarnation), "time", int(agent.state.time))
  redis.call("ZADD", agent.part.base .. NAMES.removals, int(agent.state.revision),
    removalMember(agent.namespace, agent.id))
end

local function forget(part, member)
  redis.call("ZREM", part.base .. NAMES.removals, member)
  redis.call("DEL", part.base .. NAMES.removed .. member, part.base .. NAMES.history .. member)
end

-- The last incarnation of an agent that registers again; 0 when nothing is known of it. What is too old is forgotten now, should
-- nobody have come to do so.
local function lastIncarnation(part, namespace, id)
  local key = entityKey(part, NAMES.removed, namespace, id)
  local incarnation, time = unpack(read("HMGET", key, "incarnation", "time"))
  if not incarnation and not time then
    return 0
  end
  if not (tonumber(incarnation) and tonumber(time)) then
    fail("CORRUPT", key)
  end
  if tonumber(time) < NOW_MS - SETTINGS.history_age_ms then
    forget(part, removalMember(namespace, id))
    return 0
  end
  return tonumber(incarnation)
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
    local member = redis.call("ZRANGE", list, 0, 0)[1]
    if not member then
      return
    end
    -- One that cannot be read has no time, and goes.
    local ok, time = pcall(read, "HGET", part.base .. NAMES.removed .. member, "time")
    local isRecent = ok and (tonumber(time) or 0) >= NOW_MS - SETTINGS.history_age_ms
    if isRecent and count <= SETTINGS.removed_limit then
      return
    end
    forget(part, member)
    count = count - 1
  end
end
