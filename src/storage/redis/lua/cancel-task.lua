-- CancelTask, after which the session may end.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..5] namespace, session id, task id
-- ARGV[6]    why, as JSON
-- result     the task as JSON (see task.lua), or a refusal whose first element is its code
--
-- @include ended

local namespace, id, taskId, message = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local part = openPartition(KEYS[1])

local function cancel()
  local run = loadRun(part, namespace, id)
  local task = run and findTask(run, taskId)
  if not task then
    return '["TASK_NOT_FOUND"]'
  end
  if TASK_ENDS[task.status] then
    return '["TASK_ENDED","' .. task.status .. '"]'
  end
  planMoves(run, { { task, TASK.CANCELLED } })
  task.parts[TP.reason], task.parts[TP.error] = '""', message
  moveTask(run, task, TASK.CANCELLED)
  settle(run)
  closeRun(run)
  return task.text
end

return (within(part, cancel))
