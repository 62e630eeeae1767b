-- One partition's share of a page: entities in the order in which they were added.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3]    "agent" or "session"
-- ARGV[4]    namespace
-- ARGV[5]    where to go on: a lower bound of ZRANGEBYSCORE
-- ARGV[6..7] how many entities to give, how many to look at, at most
-- ARGV[8..]  groups of index keys without the partition's part, as JSON arrays: wanted is what is in at least one index of each
--            group, and no entity is in two of one group
-- result     the ordinal up to which was looked, or empty when that is all; then ordinal, id and entity for each
--
-- The smallest group leads and the others are asked about each of its members, so a page costs what the rarest property costs.
--
-- @include session

local kind, namespace, from, limit, budget = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local part = { base = string.sub(KEYS[1], 1, #KEYS[1] - #NAMES.meta) }

local groups, lead, leadSize = {}, nil, math.huge
for index = 8, #ARGV do
  local group, size = {}, 0
  for each, suffix in ipairs(cjson.decode(ARGV[index])) do
    group[each] = part.base .. suffix
    size = size + read("ZCARD", group[each])
  end
  groups[#groups + 1] = group
  if size < leadSize then
    lead, leadSize = group, size
  end
end

-- Up to `count` members of the leading group, in order.
local function candidates(count)
  local found = {}
  for _, key in ipairs(lead) do
    local reply = redis.call("ZRANGEBYSCORE", key, from, "+inf", "WITHSCORES", "LIMIT", 0, count)
    for index = 1, #reply, 2 do
      found[#found + 1] = { id = reply[index], ordinal = tonumber(reply[index + 1]) }
    end
  end
  if #lead > 1 then
    table.sort(found, function(a, b) return a.ordinal < b.ordinal end)
  end
  for index = #found, count + 1, -1 do
    found[index] = nil
  end
  return found
end

local function isIn(group, id)
  for _, key in ipairs(group) do
    if redis.call("ZSCORE", key, id) then
      return true
    end
  end
  return false
end

local function isWanted(id)
  for _, group in ipairs(groups) do
    if group ~= lead and not isIn(group, id) then
      return false
    end
  end
  return true
end

local function textOf(id)
  if kind == "agent" then
    local agent = loadAgent(part, namespace, id)
    return agent and agentText(agent)
  end
  local session = loadSession(part, namespace, id)
  return session and session.text
end

local result, given, bytes, last = { "" }, 0, 0, nil
while given < limit and budget > 0 do
  local count = math.min(limit - given, budget)
  local found = candidates(count)
  for _, candidate in ipairs(found) do
    last = int(candidate.ordinal)
    local text = isWanted(candidate.id) and textOf(candidate.id)
    if text then
      result[#result + 1] = last
      result[#result + 1] = candidate.id
      result[#result + 1] = text
      given, bytes = given + 1, bytes + #text
      if bytes >= REPLY_BYTES then
        result[1] = last
        return result
      end
    end
  end
  if #found < count then
    return result
  end
  budget = budget - count
  from = "(" .. last
end
result[1] = last
return result
