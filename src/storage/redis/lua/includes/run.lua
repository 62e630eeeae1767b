-- Runs: the tasks of a session together. Beside the hash of tasks, by their ids, there is one that says how they hang together:
--
--   statuses  one digit for each task, in the order of the plan
--   plan      their ids in that order, separated by spaces
--   agents    who has one or had one, each between spaces
--   >ID       who depends on a task, separated by spaces
--   ?ID       on how many tasks a task still waits
--
-- Indexes name sessions, not tasks, by the place of the session: `runs` all that have tasks, `runs-in` those with a task in a
-- status, `runs-of` those with a task that an agent has or had, `open` those with one that is READY or LEASED. What is LEASED is
-- in `attempts`, by the end of its lease, and in `assigned`, by its agent.
--
-- A command reads everything that it needs before it writes anything, so that one that meets a damaged record has done nothing.
--
-- @include session
-- @include task

-- How many arguments a command gets at most.
local CHUNK = 500
local OPEN = "[" .. TASK.READY .. TASK.LEASED .. "]"
local UNENDED = "[" .. TASK.PENDING .. TASK.READY .. TASK.LEASED .. "]"

local function runKey(part, namespace, id)
  return entityKey(part, NAMES.run, namespace, id)
end

local function tasksKey(part, namespace, id)
  return entityKey(part, NAMES.tasks, namespace, id)
end

local function statusKey(part, namespace, status)
  return part.base .. NAMES.runsIn .. namespace .. "/" .. status
end

-- Reads how a session's tasks hang together; nil when there is no such session, or none with tasks.
--
-- session  the session, where it has been read already
local function loadRun(part, namespace, id, session)
  session = session or loadSession(part, namespace, id)
  if not session then
    return nil
  end
  local key = runKey(part, namespace, id)
  local statuses, agents = unpack(read("HMGET", key, "statuses", "agents"))
  if not statuses and redis.call("EXISTS", key) == 0 then
    return nil
  end
  if not string.find(statuses or "", "^[1-6]+$") then
    fail("CORRUPT", key)
  end
  return {
    part = part, namespace = namespace, id = id, session = session, key = key, tasksKey = tasksKey(part, namespace, id),
    statuses = statuses, before = statuses, agents = agents or " ", tasks = {}, writes = {},
  }
end

-- Fails with CORRUPT when a text is not a task.
local function addTask(run, id, text)
  local task = text and parseTask(text, id)
  if not task then
    fail("CORRUPT", run.tasksKey)
  end
  run.tasks[id] = task
  return task
end

-- Reads one task; nil when there is none. The same task is one table for the whole command.
local function findTask(run, id)
  if run.tasks[id] then
    return run.tasks[id]
  end
  local text = read("HGET", run.tasksKey, id)
  return text and addTask(run, id, text) or nil
end

-- Reads tasks of the plan, in the order of their ids here.
local function loadTasks(run, ids)
  local tasks = {}
  for first = 1, #ids, CHUNK do
    local last = math.min(first + CHUNK - 1, #ids)
    local texts = read("HMGET", run.tasksKey, unpack(ids, first, last))
    for index = first, last do
      tasks[index] = run.tasks[ids[index]] or addTask(run, ids[index], texts[index - first + 1])
    end
  end
  return tasks
end

local function splitIds(text)
  local ids = {}
  for id in string.gmatch(text or "", "[^ ]+") do
    ids[#ids + 1] = id
  end
  return ids
end

-- Reads all tasks, and takes them apart.
local function loadAll(run)
  if not run.all then
    run.all = loadTasks(run, splitIds(read("HGET", run.key, "plan")))
    for _, task in ipairs(run.all) do
      partsOf(task, run.tasksKey)
    end
  end
end

-- Says what becomes of tasks, before any of it is done; when the session is to end with that, all of it is read.
--
-- moves  pairs of a task and its next status, in the order of the plan
local function planMoves(run, moves)
  local pieces, at = {}, 1
  for _, move in ipairs(moves) do
    local index = tonumber(move[1].cells[T.index]) + 1
    pieces[#pieces + 1], pieces[#pieces + 2] = string.sub(run.statuses, at, index - 1), move[2]
    at = index + 1
    partsOf(move[1], run.tasksKey)
  end
  pieces[#pieces + 1] = string.sub(run.statuses, at)
  local statuses = table.concat(pieces)
  if #statuses ~= #run.statuses then
    fail("CORRUPT", run.tasksKey)
  end
  run.statuses = statuses
  if not SESSION_ENDS[run.session.status] and not string.find(run.statuses, OPEN) then
    loadAll(run)
  end
end

-- Puts a member into a sorted set, or takes it out when it has no score.
local function place(key, score, member)
  if score then
    redis.call("ZADD", key, int(score), member)
  else
    redis.call("ZREM", key, member)
  end
end

-- Commits a new status of a task, as it was planned; its other cells and parts were set before.
--
-- leaseEnd  when the lease runs out, of a task that is now LEASED
local function moveTask(run, task, status, leaseEnd)
  local part, cells, from = run.part, task.cells, task.status
  local revision, time = stamp(part)
  cells[T.revision], cells[T.status], cells[T.updateTime] = int(revision), status, int(time)
  cells[T.endTime] = TASK_ENDS[status] and int(time) or "null"
  if status ~= TASK.LEASED then
    cells[T.leaseExpireTime], cells[T.deadline] = "null", "null"
  end
  if status ~= TASK.READY then
    cells[T.notBefore] = "null"
  end
  task.status = status
  writeTask(task)
  appendLog(part, revision, '[1,3,"' .. run.namespace .. '","' .. run.id .. '",' .. from .. "," .. task.text .. "]")
  run.writes[#run.writes + 1] = task
  if from == TASK.LEASED or status == TASK.LEASED then
    local attempts, member = part.base .. NAMES.attempts, run.id .. "/" .. task.id
    local agentId = string.sub(partsOf(task, run.tasksKey)[TP.agentId], 2, -2)
    local assigned = entityKey(part, NAMES.assigned, run.namespace, agentId)
    place(attempts, leaseEnd, run.namespace .. "/" .. member)
    place(assigned, leaseEnd and run.session.ordinal, member)
  end
end

-- Writes down who has a task of the run now.
local function noteAgent(run, agentId)
  if not string.find(run.agents, " " .. agentId .. " ", 1, true) then
    run.agents = run.agents .. agentId .. " "
    redis.call("HSET", run.key, "agents", run.agents)
    redis.call("ZADD", entityKey(run.part, NAMES.runsOf, run.namespace, agentId), int(run.session.ordinal), run.id)
  end
end

-- Moves a run between the indexes of statuses.
local function indexStatuses(part, namespace, id, ordinal, before, after)
  for status = TASK.PENDING, TASK.CANCELLED do
    local isIn = string.find(after, status, 1, true) ~= nil
    if isIn ~= (string.find(before, status, 1, true) ~= nil) then
      place(statusKey(part, namespace, status), isIn and ordinal, id)
    end
  end
  local isOpen = string.find(after, OPEN) ~= nil
  if isOpen ~= (string.find(before, OPEN) ~= nil) then
    place(part.base .. NAMES.open, isOpen and ordinal, namespace .. "/" .. id)
  end
end

-- Writes fields of a hash, of which there may be many.
local function setFields(key, fields)
  for first = 1, #fields, CHUNK do
    redis.call("HSET", key, unpack(fields, first, math.min(first + CHUNK - 1, #fields)))
  end
end

-- Writes what a command has moved.
local function saveRun(run)
  local fields = {}
  for _, task in ipairs(run.writes) do
    fields[#fields + 1] = task.id
    fields[#fields + 1] = task.text
  end
  setFields(run.tasksKey, fields)
  if run.statuses ~= run.before then
    redis.call("HSET", run.key, "statuses", run.statuses)
    indexStatuses(run.part, run.namespace, run.id, run.session.ordinal, run.before, run.statuses)
  end
end

-- Commits a new status of the run's session.
--
-- parts  its parts, where they are others
local function moveSession(run, status, parts)
  local before = run.session
  local revision, time = stamp(run.part)
  local ends = SESSION_ENDS[status]
  run.hasEnded = ends
  run.session = makeSession(revision, status, before.startTime, time, ends and time, before.ordinal,
    parts or before.parts)
  commitSession(run.part, run.namespace, run.id, ends and SESSION_ENDED or SESSION_UPDATED, run.session, before.status)
end

-- Calls off what has not ended: the session is about to end. All tasks have been read.
--
-- message  why it ends, as JSON
local function cancelOpen(run, message)
  for _, task in ipairs(run.all) do
    if not TASK_ENDS[task.status] then
      task.parts[TP.reason], task.parts[TP.error] = '""', message
      moveTask(run, task, TASK.CANCELLED)
    end
  end
  run.statuses = string.gsub(run.statuses, UNENDED, TASK.CANCELLED)
end

-- What a session says that failed because of a task, as JSON: its parts are JSON already.
local function sessionError(taskId, parts)
  local message = "task " .. taskId .. " failed: " .. string.sub(parts[TP.reason], 2, -2)
  if parts[TP.error] ~= '""' then
    message = message .. ": " .. string.sub(parts[TP.error], 2, -2)
  end
  return '"' .. message .. '"'
end

-- Ends the session when nothing of it can run any more, for which `planMoves` has read what is needed.
local function settle(run)
  if SESSION_ENDS[run.session.status] or string.find(run.statuses, OPEN) then
    return
  end
  local status = SESSION.COMPLETED
  if string.find(run.statuses, TASK.FAILED, 1, true) then
    status = SESSION.FAILED
  elseif string.find(run.statuses, TASK.CANCELLED, 1, true) then
    status = SESSION.CANCELLED
    cancelOpen(run, run.session.parts[S.error])
  end
  local completed, failed = {}, nil
  for _, task in ipairs(run.all) do
    if task.status == TASK.COMPLETED then
      completed[#completed + 1] = task
    elseif task.status == TASK.FAILED then
      failed = failed or task
    end
  end
  -- What somebody has set by hand stays.
  local parts = { unpack(run.session.parts) }
  if parts[S.result] == "null" then
    parts[S.result] = collectResults(completed, run.tasksKey)
  end
  if parts[S.error] == '""' and failed then
    parts[S.error] = sessionError(failed.id, partsOf(failed, run.tasksKey))
  end
  moveSession(run, status, parts)
end

-- Ends an attempt as failed: READY again after a backoff, or FAILED. The reason and the error are JSON.
local function failAttempt(run, task, reason, message, isPermanent, jitter)
  local plan = planOf(task, run.tasksKey)
  local attemptsLeft = tonumber(task.cells[T.attemptsLeft])
  local isLast = isPermanent or attemptsLeft == 0
  planMoves(run, { { task, isLast and TASK.FAILED or TASK.READY } })
  task.parts[TP.reason], task.parts[TP.error] = reason, message
  if isLast then
    moveTask(run, task, TASK.FAILED)
    settle(run)
  else
    local wait = backoff(plan, plan.maxAttempts - attemptsLeft, jitter)
    local _, time = stamp(run.part)
    task.cells[T.due], task.cells[T.notBefore] = int(NOW_MS + wait), startAfter(time, wait)
    moveTask(run, task, TASK.READY)
  end
end
