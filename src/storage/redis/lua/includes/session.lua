-- Sessions: one string each, a JSON array that scripts can take apart without parsing:
--
--   [1, revision, status, startTime, updateTime, endTime, ordinal, [bytes of each of the rest], agentId, workflowId, metadata,
--    result, error]
--
-- @include agent
-- @include requests

local S = { agentId = 1, workflowId = 2, metadata = 3, result = 4, error = 5 }
local SESSION_STARTED, SESSION_UPDATED, SESSION_ENDED = 1, 2, 3

local function sessionKey(part, namespace, id)
  return entityKey(part, NAMES.session, namespace, id)
end

local function makeSession(revision, status, startTime, updateTime, endTime, ordinal, parts)
  local head = string.format("[1,%d,%d,%d,%d,%s,%d,[%d,%d,%d,%d,%d],", revision, status, startTime, updateTime,
    endTime and int(endTime) or "null", ordinal, #parts[1], #parts[2], #parts[3], #parts[4], #parts[5])
  return {
    text = head .. table.concat(parts, ",") .. "]", revision = revision, status = status, startTime = startTime,
    ordinal = ordinal, parts = parts,
  }
end

-- Reads a session; nil when there is none.
local function loadSession(part, namespace, id)
  local key = sessionKey(part, namespace, id)
  local text = read("GET", key)
  if not text then
    return nil
  end
  local revision, status, startTime, updateTime, ordinal, a, b, c, d, e, at = string.match(
    text, "^%[1,(%d+),(%d),(%d+),(%d+),[^,]+,(%d+),%[(%d+),(%d+),(%d+),(%d+),(%d+)%],()")
  if not revision then
    fail("CORRUPT", key)
  end
  local parts = {}
  for index, length in ipairs({ a, b, c, d, e }) do
    parts[index] = string.sub(text, at, at + tonumber(length) - 1)
    at = at + tonumber(length) + 1
  end
  return {
    text = text, revision = tonumber(revision), status = tonumber(status), startTime = tonumber(startTime),
    updateTime = tonumber(updateTime), ordinal = tonumber(ordinal), parts = parts,
  }
end

-- Commits a session: the log, the session itself, and the list of those that have ended when it has.
local function commitSession(part, namespace, id, kind, session, previousStatus)
  appendLog(part, session.revision, "[1,2," .. kind .. ',"' .. namespace .. '","' .. id .. '",' .. session.text .. ","
    .. (previousStatus or "null") .. "]")
  redis.call("SET", sessionKey(part, namespace, id), session.text)
  if kind == SESSION_ENDED then
    redis.call("ZADD", part.base .. NAMES.ended, int(session.revision), namespace .. "/" .. id)
  end
end

local function sessionsOfKey(part, namespace, session)
  -- Ids need no escaping, so what stands between the quotes is the id.
  return entityKey(part, NAMES.sessionsOf, namespace, string.sub(session.parts[S.agentId], 2, -2))
end

local function indexSession(part, namespace, id, session)
  redis.call("ZADD", part.base .. NAMES.sessions .. namespace, int(session.ordinal), id)
  if session.parts[S.agentId] ~= '""' then
    redis.call("ZADD", sessionsOfKey(part, namespace, session), int(session.ordinal), id)
  end
end
