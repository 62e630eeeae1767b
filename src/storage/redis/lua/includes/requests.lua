-- Answers to requests that came with a request id, so that a repeat gets the first answer again. Each is a key that expires by
-- itself; `requests` lists them by age, so that there are never too many.
--
-- @include partition

local function requestKey(part, command, namespace, id, requestId)
  return part.base .. NAMES.request .. command .. ":" .. namespace .. "/" .. id .. "/" .. requestId
end

-- The first answer; nil when there is none, or no request id.
local function recall(part, command, namespace, id, requestId)
  if requestId == "" then
    return nil
  end
  local kept = read("GET", requestKey(part, command, namespace, id, requestId))
  if not kept then
    return nil
  end
  local expires, answer = string.match(kept, "^(%d+) (.*)$")
  if tonumber(expires) <= NOW_MS then
    return nil
  end
  if SETTINGS.confirmed == 1 then
    -- Replicas confirm what this caller writes, and whatever came before it: without a write they might be asked about nothing.
    redis.call("HSET", part.meta, "schema", SETTINGS.schema)
  end
  return answer
end

local function remember(part, command, namespace, id, requestId, answer)
  if requestId == "" then
    return
  end
  local key = requestKey(part, command, namespace, id, requestId)
  local expires = int(NOW_MS + SETTINGS.request_memory_ms)
  redis.call("SET", key, expires .. " " .. answer, "PX", SETTINGS.request_memory_ms)
  local list = part.base .. NAMES.requests
  local count = redis.call("RPUSH", list, expires .. " " .. key)
  -- Two looks for each addition: the list shrinks faster than it grows.
  for _ = 1, 2 do
    local oldest = redis.call("LINDEX", list, 0)
    local oldestExpires, oldestKey = string.match(oldest or "", "^(%d+) (.*)$")
    local isFresh = oldestExpires and tonumber(oldestExpires) > NOW_MS
    if not oldest or (isFresh and count <= SETTINGS.request_limit) then
      return
    end
    redis.call("LPOP", list)
    count = count - 1
    if isFresh then
      redis.call("DEL", oldestKey)
    end
  end
end
