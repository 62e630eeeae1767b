-- One partition's share of a page of tasks: in the order in which their sessions started, and within each in that of its plan.
--
-- KEYS[1]     the partition's meta key
-- ARGV        see time.lua, then
-- ARGV[3..4]  namespace, empty for all; session id, empty for all
-- ARGV[5]     the digits of wanted statuses; empty: all
-- ARGV[6]     the agent that has the task or had it last; empty: any
-- ARGV[7..8]  where to go on: after which place in the plan of the session with this ordinal; else the first session with at
--             least this ordinal
-- ARGV[9..10] how many tasks to give, how many sessions and tasks to look at, at most
-- ARGV[11..]  the index keys to be led by, without the partition's part: what is wanted is in at least one. None with a session id
-- result      ordinal and place up to which was looked, or two empty texts when that is all; then ordinal, place, namespace,
--             session id and task for each
--
-- @include run

local namespace, sessionId, statuses, agentId = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local fromOrdinal, fromIndex = tonumber(ARGV[7]), tonumber(ARGV[8])
local limit, budget = tonumber(ARGV[9]), tonumber(ARGV[10])
local part = { base = string.sub(KEYS[1], 1, #KEYS[1] - #NAMES.meta) }
local wanted = statuses == "" and "." or "[" .. statuses .. "]"
local agent = agentId ~= "" and '"' .. agentId .. '"'
local SESSIONS_AT_ONCE = 50

local result, given, bytes = { "", "" }, 0, 0

-- Up to `count` sessions from an ordinal on, in order.
local function sessionsFrom(ordinal, count)
  local found, seen = {}, {}
  for index = 11, #ARGV do
    local reply = read("ZRANGEBYSCORE", part.base .. ARGV[index], int(ordinal), "+inf", "WITHSCORES", "LIMIT", 0, count)
    for at = 1, #reply, 2 do
      if not seen[reply[at]] then
        seen[reply[at]] = true
        local ofNamespace, id = namespace, reply[at]
        if namespace == "" then
          ofNamespace, id = string.match(reply[at], "^([^/]*)/(.*)$")
        end
        found[#found + 1] = { namespace = ofNamespace, id = id, ordinal = tonumber(reply[at + 1]) }
      end
    end
  end
  table.sort(found, function(a, b) return a.ordinal < b.ordinal end)
  for index = #found, count + 1, -1 do
    found[index] = nil
  end
  return found
end

-- The first place to look at in the plan of a session with this ordinal.
local function firstOf(ordinal)
  return ordinal == fromOrdinal and fromIndex + 1 or 0
end

-- Adds what is wanted of a session. Answers whether all of it has been seen.
local function addTasks(session)
  local run = loadRun(part, session.namespace, session.id)
  budget = budget - 1
  local at = run and string.find(run.statuses, wanted, firstOf(run.session.ordinal) + 1)
  if not at then
    return true
  end
  local ids = splitIds(read("HGET", run.key, "plan"))
  while at do
    local chosen, places = {}, {}
    while at and #chosen < CHUNK and #chosen < limit - given and #chosen < budget do
      chosen[#chosen + 1], places[#places + 1] = ids[at] or fail("CORRUPT", run.key), at - 1
      at = string.find(run.statuses, wanted, at + 1)
    end
    if #chosen == 0 then
      result[1], result[2] = int(run.session.ordinal), int(at - 2)
      return false
    end
    budget = budget - #chosen
    for index, task in ipairs(loadTasks(run, chosen)) do
      if not agent or partsOf(task, run.tasksKey)[TP.agentId] == agent then
        for _, cell in ipairs({ int(run.session.ordinal), int(places[index]), run.namespace, run.id, task.text }) do
          result[#result + 1] = cell
        end
        given, bytes = given + 1, bytes + #task.text
        if bytes >= REPLY_BYTES then
          result[1], result[2] = int(run.session.ordinal), int(places[index])
          return false
        end
      end
    end
  end
  return true
end

local function list()
  if sessionId ~= "" then
    addTasks({ namespace = namespace, id = sessionId })
    return
  end
  local ordinal = fromOrdinal
  while true do
    local sessions = sessionsFrom(ordinal, SESSIONS_AT_ONCE)
    for _, session in ipairs(sessions) do
      if given >= limit or budget <= 0 then
        result[1], result[2] = int(session.ordinal), int(firstOf(session.ordinal) - 1)
        return
      end
      if not addTasks(session) then
        return
      end
      ordinal = session.ordinal + 1
    end
    if #sessions < SESSIONS_AT_ONCE then
      return
    end
  end
end

list()
return result
