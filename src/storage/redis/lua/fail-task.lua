-- FailTask: READY again after a backoff, or FAILED, after which the session may end.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..5] namespace, session id, task id
-- ARGV[6]    the attempt
-- ARGV[7..8] reason and error, each as JSON
-- ARGV[9]    "1" when no further attempt is to be made
-- ARGV[10]   how much of the random part is added to the backoff, from 0 up to 1
-- result     the task as JSON (see task.lua), or a refusal whose first element is its code
--
-- @include ended

local namespace, id, taskId, attempt = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local reason, message, isPermanent, jitter = ARGV[7], ARGV[8], ARGV[9] == "1", tonumber(ARGV[10])
local part = openPartition(KEYS[1])

local function failTask()
  local run = loadRun(part, namespace, id)
  local task = run and findTask(run, taskId)
  if not task then
    return '["TASK_NOT_FOUND"]'
  end
  local isCurrent = tonumber(task.cells[T.attempt]) == attempt
  local hasFailed = task.status == TASK.READY or task.status == TASK.FAILED
  if hasFailed and isCurrent and attempt > 0 then
    return task.text
  end
  if task.status ~= TASK.LEASED or not isCurrent then
    return staleAttempt(task)
  end
  failAttempt(run, task, reason, message, isPermanent, jitter)
  closeRun(run)
  return task.text
end

return (within(part, failTask))
