-- StartSession. Whether there is such an agent was asked before, in its own partition.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..4] namespace, session id
-- ARGV[5]    request id, or empty
-- ARGV[6]    "1" when the agent is registered, or none is named
-- ARGV[7..9] agent id, workflow id, metadata, each as JSON
-- ARGV[10..] for each task, in the order of the plan: its id, its plan (see task.lua), how long it waits after it could start in
--            milliseconds, on how many tasks it depends, and the ids of those that depend on it, separated by spaces
-- result     the session as JSON (see session.lua), or a refusal whose first element is its code
--
-- @include run

local START = "start-session"
local TASK_ARGS, FIRST_TASK = 5, 10
local namespace, id, requestId, isRegistered = ARGV[3], ARGV[4], ARGV[5], ARGV[6] == "1"
local part = openPartition(KEYS[1])

-- Commits the tasks, each after those that it depends on.
local function createTasks(session)
  local tasks, fields, statuses, plan = {}, {}, {}, {}
  local _, time = stamp(part)
  for at = FIRST_TASK, #ARGV, TASK_ARGS do
    local taskId, text, delay, waitsFor, dependants = unpack(ARGV, at, at + TASK_ARGS - 1)
    local maxAttempts = string.match(text, "^%[1,[^,]+,[^,]+,[^,]+,(%d+),")
    local isReady = waitsFor == "0"
    local status = isReady and TASK.READY or TASK.PENDING
    local revision = stamp(part)
    local record = string.format('[1,%d,%d,%d,0,%s,0,0,0,%d,%s,null,null,%d,null,%d,null,[2,4,4,2,2,%d],"",null,null,"","",%s]',
      revision, status, #statuses, maxAttempts, NOW_MS + delay, isReady and startAfter(time, tonumber(delay)) or "null",
      time, time, #text, text)
    appendLog(part, revision, '[1,3,"' .. namespace .. '","' .. id .. '",null,' .. record .. "]")
    tasks[#tasks + 1], tasks[#tasks + 2] = taskId, record
    statuses[#statuses + 1], plan[#plan + 1] = status, taskId
    if not isReady then
      fields[#fields + 1], fields[#fields + 2] = "?" .. taskId, waitsFor
    end
    if dependants ~= "" then
      fields[#fields + 1], fields[#fields + 2] = ">" .. taskId, dependants
    end
  end
  local joined = table.concat(statuses)
  fields[#fields + 1], fields[#fields + 2] = "statuses", joined
  fields[#fields + 1], fields[#fields + 2] = "plan", table.concat(plan, " ")
  setFields(tasksKey(part, namespace, id), tasks)
  setFields(runKey(part, namespace, id), fields)
  redis.call("ZADD", part.base .. NAMES.runs .. namespace, int(session.ordinal), id)
  indexStatuses(part, namespace, id, session.ordinal, "", joined)
end

local function start()
  local answered = recall(part, START, namespace, id, requestId)
  if answered then
    return answered
  end
  if not isRegistered then
    return '["AGENT_NOT_FOUND"]'
  end
  if loadSession(part, namespace, id) then
    return '["SESSION_ALREADY_EXISTS"]'
  end
  local revision, time = stamp(part)
  local session = makeSession(revision, SESSION.STARTED, time, time, nil, nextOrdinal(part),
    { ARGV[7], ARGV[8], ARGV[9], "null", '""' })
  commitSession(part, namespace, id, SESSION_STARTED, session)
  indexSession(part, namespace, id, session)
  if #ARGV >= FIRST_TASK then
    createTasks(session)
  end
  remember(part, START, namespace, id, requestId, session.text)
  return session.text
end

return (within(part, start))
