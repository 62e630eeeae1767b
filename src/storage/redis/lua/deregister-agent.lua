-- DeregisterAgent.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..4] namespace, agent id
-- ARGV[5]    incarnation; 0: any
-- ARGV[6]    actor as JSON
-- result     the agent as it was removed, as JSON (see agent.lua), or a refusal whose first element is its code
--
-- @include lease
-- @include removed

local DEREGISTERED = 6
local FORGOTTEN_AT_ONCE = 2
local namespace, id, incarnation, actor = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local part = openPartition(KEYS[1])

local function deregister()
  local agent = loadAgent(part, namespace, id)
  if not agent then
    return '["AGENT_NOT_FOUND"]'
  end
  local refusal = checkIncarnation(agent, incarnation)
  if refusal then
    return refusal
  end
  local before = agent.state
  local revision, time = stamp(part)
  agent.due = 0
  agent.state = makeState(revision, time, DEREGISTERED, before.liveness, before.incarnation, agent.sequence,
    before.reportTime, before.size, contentOf(before), actor)
  logAgent(agent, revision, DEREGISTERED, before.text)
  appendHistory(agent, before.time)
  placeLease(agent)
  indexScope(agent, agent, nil)
  redis.call("ZREM", entityKey(part, NAMES.state, namespace, before.state), id)
  redis.call("ZREM", part.base .. NAMES.agents .. namespace, id)
  redis.call("DEL", agent.key)
  freeSlots(agent)
  bury(agent)
  forgetRemoved(part, FORGOTTEN_AT_ONCE)
  return agentText(agent)
end

return (within(part, deregister))
