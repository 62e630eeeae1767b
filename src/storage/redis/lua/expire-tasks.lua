-- ExpireTasks: fails the attempts whose lease or deadline has passed.
--
-- KEYS       the meta key of each partition
-- ARGV       see time.lua, then
-- ARGV[3]    how much of the random part is added to the backoff, from 0 up to 1
-- ARGV[4]    how many tasks to look at in all, at most, but for those of the session that is the last to end
-- result     how many attempts failed; 1 when there is more to do; then the keys of records that cannot be read
--
-- @include ended

local jitter, budget = tonumber(ARGV[3]), tonumber(ARGV[4])
local expired, more, corrupt = 0, 0, {}

local function expireTask(part, namespace, id, taskId)
  local run = loadRun(part, namespace, id)
  local task = run and findTask(run, taskId)
  if not task or task.status ~= TASK.LEASED then
    return false
  end
  local isTimedOut = tonumber(task.cells[T.due]) <= NOW_MS
  failAttempt(run, task, isTimedOut and SETTINGS.timed_out_reason or SETTINGS.lease_expired_reason,
    isTimedOut and SETTINGS.timed_out_error or SETTINGS.lease_expired_error, false, jitter)
  closeRun(run)
  budget = budget - (run.all and #run.all or 0)
  return true
end

local function expire(part)
  local list = part.base .. NAMES.attempts
  while budget > 0 do
    local member = read("ZRANGEBYSCORE", list, "-inf", int(NOW_MS), "LIMIT", 0, 1)[1]
    if not member then
      return
    end
    budget = budget - 1
    local ok, outcome = pcall(expireTask, part, string.match(member, "^([^/]*)/([^/]*)/(.*)$"))
    if ok and outcome then
      expired = expired + 1
    elseif ok then
      redis.call("ZREM", list, member)
    else
      local message = type(outcome) == "table" and outcome.err or tostring(outcome)
      local key = string.match(message, "CORRUPT (%S+)")
      if not key then
        error(type(outcome) == "table" and outcome or redis.error_reply(message))
      end
      corrupt[#corrupt + 1] = key
      redis.call("ZREM", list, member)
    end
  end
  more = 1
end

for _, key in ipairs(KEYS) do
  within(openPartition(key), expire)
end
local result = { expired, more }
for _, key in ipairs(corrupt) do
  result[#result + 1] = key
end
return result
