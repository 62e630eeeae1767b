-- GetStateHistory: what happened to an agent, oldest first.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..4] namespace, agent id
-- ARGV[5]    only what was committed after this revision
-- ARGV[6]    how many entries, at most
-- result     nil when nothing is known of the agent; else 1 when there are more entries, the entry before the first one (empty:
--            none is kept), and the entries
--
-- @include agent

-- More than a page holds.
local MAX_BYTES = 1048576

local namespace, id, after, limit = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local part = { base = string.sub(KEYS[1], 1, #KEYS[1] - #NAMES.meta) }
local key = entityKey(part, NAMES.history, namespace, id)
local oldest = NOW_MS - SETTINGS.history_age_ms

if redis.call("EXISTS", entityKey(part, NAMES.agent, namespace, id)) == 0 then
  local removed = redis.call("HGET", entityKey(part, NAMES.removed, namespace, id), "time")
  if not removed or tonumber(removed) < oldest then
    return nil
  end
end

local count = read("LLEN", key)

-- The first index from `first` on of whose state `isBefore` does not hold; it holds up to some place in the list.
local function seek(first, isBefore)
  local low, high = first, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    local state = parseState(redis.call("LINDEX", key, middle)) or fail("CORRUPT", key)
    if isBefore(state) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local kept = seek(0, function(state) return state.time < oldest end)
local first = seek(kept, function(state) return state.revision <= after end)
local last = math.min(first + limit, count)
local entries = first < last and redis.call("LRANGE", key, first, last - 1) or {}
local bytes = 0
for index, entry in ipairs(entries) do
  bytes = bytes + #entry
  if bytes > MAX_BYTES then
    for beyond = #entries, index + 1, -1 do
      entries[beyond] = nil
    end
    last = first + index
    break
  end
end
local before = #entries > 0 and first > kept and redis.call("LINDEX", key, first - 1) or ""
table.insert(entries, 1, before)
table.insert(entries, 1, last < count and 1 or 0)
return entries
