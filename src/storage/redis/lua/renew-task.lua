-- RenewTask: moves the end of a lease, and nothing else.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..5] namespace, session id, task id
-- ARGV[6]    the attempt
-- ARGV[7]    how long the lease lasts from now on, in milliseconds
-- result     how long it lasts, which is never beyond the attempt's end, in milliseconds; or a refusal whose first element is its code
--
-- @include run

local namespace, id, taskId, attempt, leaseMs = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local part = { base = string.sub(KEYS[1], 1, #KEYS[1] - #NAMES.meta) }
local key = tasksKey(part, namespace, id)

local text = read("HGET", key, taskId)
if not text then
  return '["TASK_NOT_FOUND"]'
end
local task = parseTask(text, taskId) or fail("CORRUPT", key)
if task.status ~= TASK.LEASED or tonumber(task.cells[T.attempt]) ~= attempt then
  return staleAttempt(task)
end
local leaseEnd = math.min(NOW_MS + leaseMs, tonumber(task.cells[T.due]))
redis.call("ZADD", part.base .. NAMES.attempts, int(leaseEnd), namespace .. "/" .. id .. "/" .. taskId)
return int(math.max(0, leaseEnd - NOW_MS))
