-- Expires the leases that ran out, as far as SUSPECT, and finds those whose agents are due to become LOST. Also drops what
-- retention has no more room for.
--
-- KEYS       the meta key of each partition
-- ARGV       see time.lua, then
-- ARGV[3]    for how long nobody could have renewed, in milliseconds: a lease that is not longer gets one fresh term
-- ARGV[4]    how many agents to look at in each partition, at most
-- result     for each partition: how many became SUSPECT, how many agents are SUSPECT and due to become LOST, how many others
--            have a lease, 1 when there is more to do; then the keys of agents that cannot be read
--
-- @include lease
-- @include removed
-- @include ended

local FORGOTTEN_IN_SWEEP = 50
local stalledMs, budget = tonumber(ARGV[3]), tonumber(ARGV[4])
local corrupt = {}

local function eachAgent(part, members, visit)
  for _, member in ipairs(members) do
    local namespace, id = string.match(member, "^([^/]*)/(.*)$")
    local ok, agent = pcall(loadAgent, part, namespace, id)
    if ok and agent then
      visit(agent)
    else
      if not ok then
        corrupt[#corrupt + 1] = entityKey(part, NAMES.agent, namespace, id)
      end
      redis.call("ZREM", part.base .. NAMES.leases, member)
      redis.call("ZREM", part.base .. NAMES.overdue, member)
    end
  end
end

local function forgiveOverdue(part)
  eachAgent(part, redis.call("ZRANGE", part.base .. NAMES.overdue, 0, -1), function(agent)
    if agent.ttl <= stalledMs then
      redis.call("ZREM", part.base .. NAMES.overdue, leaseMember(agent))
      forgiveLease(agent)
      saveAgent(agent)
    end
  end)
end

local function look(agent)
  -- A lease makes its agent LOST half a lease after its end.
  local lostAt = math.ceil(agent.due + agent.ttl / 2)
  if agent.due > NOW_MS then
    lookAt(agent, agent.due)
  elseif agent.ttl <= stalledMs then
    forgiveLease(agent)
    saveAgent(agent)
  elseif agent.state.liveness == ALIVE then
    observe(agent, SUSPECT)
    lookAt(agent, lostAt)
    saveAgent(agent)
    return 1
  elseif lostAt > NOW_MS then
    lookAt(agent, lostAt)
  else
    redis.call("ZREM", agent.part.base .. NAMES.leases, leaseMember(agent))
    redis.call("ZADD", agent.part.base .. NAMES.overdue, int(agent.due), leaseMember(agent))
  end
  return 0
end

local function sweep(part)
  if stalledMs > 0 then
    forgiveOverdue(part)
  end
  local suspected, left = 0, budget
  while left > 0 do
    local due = redis.call("ZRANGEBYSCORE", part.base .. NAMES.leases, "-inf", int(NOW_MS), "LIMIT", 0, math.min(left, 100))
    if #due == 0 then
      break
    end
    eachAgent(part, due, function(agent)
      suspected = suspected + look(agent)
    end)
    left = left - #due
  end
  forgetRemoved(part, FORGOTTEN_IN_SWEEP)
  forgetEnded(part, FORGOTTEN_IN_SWEEP)
  return suspected, left <= 0 and 1 or 0
end

local result = {}
for _, key in ipairs(KEYS) do
  local part = openPartition(key)
  local suspected, more = within(part, sweep)
  result[#result + 1] = suspected
  result[#result + 1] = redis.call("ZCARD", part.base .. NAMES.overdue)
  result[#result + 1] = redis.call("ZCARD", part.base .. NAMES.leases)
  result[#result + 1] = more
end
for _, key in ipairs(corrupt) do
  result[#result + 1] = key
end
return result
