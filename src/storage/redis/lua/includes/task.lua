-- Tasks: one JSON array each, in a hash for each session, that scripts can take apart without parsing:
--
--   task  [1, revision, status, index, attempt, attemptsLeft, agentIncarnation, agentRevision, delivery, due, notBefore,
--          leaseExpireTime, deadline, createTime, startTime, updateTime, endTime, [bytes of each of the rest], agentId, inputs,
--          result, reason, error, plan]
--   plan  [1, timeoutMs, startDelayMs, priority, maxAttempts, initialBackoffMs, maxBackoffMs, multiplier, dependsOn, taskId,
--          displayName, capability, parameters, boundAgentId, workflowId]
--
-- `index` is its place in the session's plan, from 0. `due`: READY, not to be leased before; LEASED, when the attempt ends. It is
-- what NOW_MS is compared with, which unlike the times of commits may go back. When a lease ends is kept in `attempts` alone, for
-- a renewal moves it without a commit.
--
-- @include partition

-- The cells of a task, as texts, and its parts.
local T = {
  revision = 1, status = 2, index = 3, attempt = 4, attemptsLeft = 5, agentIncarnation = 6, agentRevision = 7, delivery = 8,
  due = 9, notBefore = 10, leaseExpireTime = 11, deadline = 12, createTime = 13, startTime = 14, updateTime = 15, endTime = 16,
}
local TP = { agentId = 1, inputs = 2, result = 3, reason = 4, error = 5, plan = 6 }
local TASK_CELLS, TASK_PARTS = 16, 6
local NUMBER, OPTIONAL = "(%d+),", "([^,]+),"
local TASK_HEAD = "^%[1," .. string.rep(NUMBER, 9) .. string.rep(OPTIONAL, 3) .. NUMBER .. OPTIONAL .. NUMBER .. OPTIONAL
  .. "()%["
local PART_LENGTHS = "^%[" .. string.rep(NUMBER, 5) .. "(%d+)%],()"
local PLAN_HEAD = "^%[1," .. string.rep(OPTIONAL, 7) .. "(%[[^%]]*%])"

local function parseTask(text, id)
  local cells = { string.match(text, TASK_HEAD) }
  local rest = cells[TASK_CELLS + 1]
  return rest and { id = id, text = text, cells = cells, rest = rest, status = tonumber(cells[T.status]) }
end

-- The parts of a task, which are taken apart when somebody wants them: there may be many tasks. Fails with CORRUPT and the key.
local function partsOf(task, key)
  if task.parts then
    return task.parts
  end
  local lengths = { string.match(task.text, PART_LENGTHS, task.rest) }
  local at = lengths[TASK_PARTS + 1] or fail("CORRUPT", key)
  local parts = {}
  for index = 1, TASK_PARTS do
    local length = tonumber(lengths[index])
    parts[index] = string.sub(task.text, at, at + length - 1)
    at = at + length + 1
  end
  task.parts = parts
  return parts
end

-- Makes the text of what was changed.
local function writeTask(task)
  local head, parts = "[1," .. table.concat(task.cells, ",", 1, TASK_CELLS) .. ",", task.parts
  if parts then
    local lengths = #parts[1] .. "," .. #parts[2] .. "," .. #parts[3] .. "," .. #parts[4] .. "," .. #parts[5] .. "," .. #parts[6]
    task.text = head .. "[" .. lengths .. "]," .. table.concat(parts, ",") .. "]"
  else
    task.text = head .. string.sub(task.text, task.rest)
  end
  task.rest = #head + 1
end

-- What commands want to know of a task's plan. Fails with CORRUPT and the key when it cannot be read.
local function planOf(task, key)
  local timeout, delay, _, maxAttempts, initialBackoff, maxBackoff, multiplier, dependsOn =
    string.match(partsOf(task, key)[TP.plan], PLAN_HEAD)
  local plan = {
    timeout = tonumber(timeout), delay = tonumber(delay), maxAttempts = tonumber(maxAttempts),
    initialBackoff = tonumber(initialBackoff), maxBackoff = tonumber(maxBackoff), multiplier = tonumber(multiplier),
    dependsOn = {},
  }
  if not (plan.timeout and plan.delay and plan.maxAttempts and plan.initialBackoff and plan.maxBackoff
      and plan.multiplier) then
    fail("CORRUPT", key)
  end
  for id in string.gmatch(dependsOn, '"([^"]+)"') do
    plan.dependsOn[#plan.dependsOn + 1] = id
  end
  return plan
end

-- How long to wait after a failed attempt, in milliseconds: `backoffMs` in the same steps, for the same result.
local function backoff(plan, failures, jitter)
  local wait = plan.initialBackoff
  for _ = 2, failures do
    wait = wait * plan.multiplier
  end
  wait = math.min(plan.maxBackoff, wait)
  wait = wait + wait * SETTINGS.jitter_share * jitter
  local whole = math.floor(wait)
  return wait - whole >= 0.5 and whole + 1 or whole
end

-- When a task may be leased that could be from `time` on.
local function startAfter(time, delay)
  return delay == 0 and "null" or int(time + delay)
end

-- Puts the results of tasks together, in their order: `collectResults`. "null" when there is none.
local function collectResults(tasks, key)
  local collected, bytes = {}, 2
  for _, task in ipairs(tasks) do
    local result = partsOf(task, key)[TP.result]
    if result == "null" then
      result = "{}"
    end
    local added = #result + #task.id + 4
    if bytes + added <= SETTINGS.collected_bytes then
      bytes = bytes + added
      collected[#collected + 1] = '"' .. task.id .. '":' .. result
    end
  end
  return #collected == 0 and "null" or "{" .. table.concat(collected, ",") .. "}"
end

local function staleAttempt(task)
  return '["STALE_ATTEMPT","' .. task.cells[T.attempt] .. '","' .. task.status .. '"]'
end
