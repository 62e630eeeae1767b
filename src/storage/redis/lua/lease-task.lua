-- LeaseTask: an attempt at a task that is READY begins.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..5] namespace, session id, task id
-- ARGV[6]    the attempt that begins
-- ARGV[7..9] agent id, its incarnation, its revision when the attempt was reserved
-- ARGV[10]   how the attempt reaches it
-- ARGV[11]   how long the lease lasts, in milliseconds
-- result     the task as JSON (see task.lua), or a refusal whose first element is its code
--
-- @include run

local namespace, id, taskId, attempt = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local agentId, incarnation, agentRevision, delivery, leaseMs = ARGV[7], ARGV[8], ARGV[9], ARGV[10], tonumber(ARGV[11])
local part = openPartition(KEYS[1])

local function lease()
  local run = loadRun(part, namespace, id)
  local task = run and findTask(run, taskId)
  if not task then
    return '["TASK_NOT_FOUND"]'
  end
  local cells, parts, agent = task.cells, partsOf(task, run.tasksKey), '"' .. agentId .. '"'
  local current = tonumber(cells[T.attempt])
  if task.status == TASK.LEASED and current == attempt and parts[TP.agentId] == agent
      and cells[T.agentIncarnation] == incarnation then
    return task.text
  end
  local isReady = task.status == TASK.READY and tonumber(cells[T.due]) <= NOW_MS
  if not isReady or attempt ~= current + 1 or run.session.status == SESSION.PAUSED then
    return staleAttempt(task)
  end
  local timeout = planOf(task, run.tasksKey).timeout
  local _, time = stamp(part)
  leaseMs = math.min(leaseMs, timeout)
  cells[T.attempt], cells[T.attemptsLeft] = int(attempt), int(tonumber(cells[T.attemptsLeft]) - 1)
  cells[T.agentIncarnation], cells[T.agentRevision], cells[T.delivery] = incarnation, agentRevision, delivery
  cells[T.due] = int(NOW_MS + timeout)
  cells[T.leaseExpireTime], cells[T.deadline] = int(time + leaseMs), int(time + timeout)
  cells[T.startTime], parts[TP.agentId] = int(time), agent
  planMoves(run, { { task, TASK.LEASED } })
  moveTask(run, task, TASK.LEASED, NOW_MS + leaseMs)
  noteAgent(run, agentId)
  if run.session.status == SESSION.STARTED then
    moveSession(run, SESSION.RUNNING)
  end
  saveRun(run)
  return task.text
end

return (within(part, lease))
