-- RetryTask: takes a task out of the dead letter. A session that it had made FAILED is RUNNING again.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..5] namespace, session id, task id
-- result     the task as JSON (see task.lua), or a refusal whose first element is its code
--
-- @include run

local namespace, id, taskId = ARGV[3], ARGV[4], ARGV[5]
local part = openPartition(KEYS[1])

local function retry()
  local run = loadRun(part, namespace, id)
  local task = run and findTask(run, taskId)
  if not task then
    return '["TASK_NOT_FOUND"]'
  end
  if task.status ~= TASK.FAILED then
    return '["STATE_MISMATCH","' .. task.status .. '","' .. task.cells[T.revision] .. '"]'
  end
  local status = run.session.status
  if SESSION_ENDS[status] and status ~= SESSION.FAILED then
    return '["SESSION_ENDED","' .. status .. '"]'
  end
  task.cells[T.attemptsLeft], task.cells[T.due] = int(planOf(task, run.tasksKey).maxAttempts), int(NOW_MS)
  planMoves(run, { { task, TASK.READY } })
  moveTask(run, task, TASK.READY)
  if SESSION_ENDS[status] then
    local parts = { unpack(run.session.parts) }
    parts[S.result], parts[S.error] = "null", '""'
    moveSession(run, SESSION.RUNNING, parts)
    redis.call("ZREM", part.base .. NAMES.ended, namespace .. "/" .. id)
  end
  saveRun(run)
  return task.text
end

return (within(part, retry))
