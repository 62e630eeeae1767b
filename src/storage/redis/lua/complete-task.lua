-- CompleteTask: what waited for this task alone becomes READY; when nothing can run any more, the session ends.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..5] namespace, session id, task id
-- ARGV[6]    the attempt
-- ARGV[7]    result as JSON
-- result     the task as JSON (see task.lua), or a refusal whose first element is its code
--
-- @include ended

local namespace, id, taskId, attempt, result = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local part = openPartition(KEYS[1])

-- On how many tasks those that depend on this one will still wait, as fields of the run's hash, and who then waits for none.
local function countDown(run)
  local dependants = splitIds(read("HGET", run.key, ">" .. taskId))
  local left, fields, free = {}, {}, {}
  for first = 1, #dependants, CHUNK do
    local names = {}
    for index = first, math.min(first + CHUNK - 1, #dependants) do
      names[#names + 1] = "?" .. dependants[index]
    end
    for index, count in ipairs(read("HMGET", run.key, unpack(names))) do
      left[dependants[first + index - 1]] = tonumber(count) or fail("CORRUPT", run.key)
    end
  end
  for _, dependant in ipairs(dependants) do
    left[dependant] = left[dependant] - 1
    if left[dependant] == 0 then
      free[#free + 1] = dependant
    end
  end
  for dependant, count in pairs(left) do
    fields[#fields + 1], fields[#fields + 2] = "?" .. dependant, int(count)
  end
  return fields, free
end

local function complete()
  local run = loadRun(part, namespace, id)
  local task = run and findTask(run, taskId)
  if not task then
    return '["TASK_NOT_FOUND"]'
  end
  local isCurrent = tonumber(task.cells[T.attempt]) == attempt
  if task.status == TASK.COMPLETED and isCurrent then
    return task.text
  end
  if task.status ~= TASK.LEASED or not isCurrent then
    return staleAttempt(task)
  end
  local waiting, free = countDown(run)
  local moves, plans, needed = { { task, TASK.COMPLETED } }, {}, {}
  for _, dependant in ipairs(loadTasks(run, free)) do
    if dependant.status == TASK.PENDING then
      moves[#moves + 1] = { dependant, TASK.READY }
      plans[dependant] = planOf(dependant, run.tasksKey)
      needed[dependant] = loadTasks(run, plans[dependant].dependsOn)
      for _, dependency in ipairs(needed[dependant]) do
        partsOf(dependency, run.tasksKey)
      end
    end
  end
  planMoves(run, moves)

  task.parts[TP.result], task.parts[TP.reason], task.parts[TP.error] = result, '""', '""'
  moveTask(run, task, TASK.COMPLETED)
  setFields(run.key, waiting)
  for index = 2, #moves do
    local dependant = moves[index][1]
    local delay = plans[dependant].delay
    local _, time = stamp(part)
    dependant.parts[TP.inputs] = collectResults(needed[dependant], run.tasksKey)
    dependant.cells[T.due], dependant.cells[T.notBefore] = int(NOW_MS + delay), startAfter(time, delay)
    moveTask(run, dependant, TASK.READY)
  end
  settle(run)
  closeRun(run)
  return task.text
end

return (within(part, complete))
