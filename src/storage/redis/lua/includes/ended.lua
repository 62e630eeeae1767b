-- What is kept of sessions that have ended: everything, as long as there is room. `ended` lists them in the order of their end, by
-- its revision.
--
-- @include run

-- Drops a session's tasks.
local function dropRun(part, namespace, id)
  local key = runKey(part, namespace, id)
  local statuses, agents = unpack(read("HMGET", key, "statuses", "agents"))
  if not statuses then
    return
  end
  indexStatuses(part, namespace, id, 0, statuses, "")
  for _, agentId in ipairs(splitIds(agents)) do
    redis.call("ZREM", entityKey(part, NAMES.runsOf, namespace, agentId), id)
  end
  redis.call("ZREM", part.base .. NAMES.runs .. namespace, id)
  redis.call("UNLINK", key, tasksKey(part, namespace, id))
end

-- Drops up to `budget` ended sessions, with their tasks, that are too old or too many.
local function forgetEnded(part, budget)
  local list = part.base .. NAMES.ended
  local count = redis.call("ZCARD", list)
  for _ = 1, budget do
    local member = redis.call("ZRANGE", list, 0, 0)[1]
    if not member then
      return
    end
    local namespace, id = string.match(member, "^([^/]*)/(.*)$")
    local ok, session = pcall(loadSession, part, namespace, id)
    local isRecent = ok and session and session.updateTime >= NOW_MS - SETTINGS.history_age_ms
    if isRecent and count <= SETTINGS.ended_limit then
      return
    end
    redis.call("ZREM", list, member)
    -- One that cannot be read stays where reads find it, and say so.
    if ok and session and pcall(dropRun, part, namespace, id) then
      redis.call("ZREM", part.base .. NAMES.sessions .. namespace, id)
      redis.call("ZREM", sessionsOfKey(part, namespace, session), id)
      redis.call("DEL", sessionKey(part, namespace, id))
    end
    count = count - 1
  end
end

-- How many a command drops that ends one: more go than come.
local FORGOTTEN_AT_ONCE = 2

-- Writes what a command has moved that may have ended the session.
local function closeRun(run)
  saveRun(run)
  if run.hasEnded then
    forgetEnded(run.part, FORGOTTEN_AT_ONCE)
  end
end
