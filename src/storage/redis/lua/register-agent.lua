-- RegisterAgent: a new agent, the next incarnation of one that is registered, or only its data; then the reports that were held.
--
-- KEYS[1]     the partition's meta key
-- ARGV        see time.lua, then
-- ARGV[3..4]  namespace, agent id
-- ARGV[5]     request id, or empty
-- ARGV[6]     "1" to leave incarnation and state of a registered agent alone, and how it lives and works
-- ARGV[7]     content of the first state (see agent.lua)
-- ARGV[8..9]  actor as JSON, size of the first state
-- ARGV[10..]  the parts of the profile (see profile.lua)
-- result      the answer, `[created, agent]` as JSON, then held id and outcome of each report that was held
--
-- @include report
-- @include profile
-- @include removed

local REGISTERED = 1
local REGISTER = "register"
local namespace, id, requestId = ARGV[3], ARGV[4], ARGV[5]
local keepsState, content, actor, size = ARGV[6] == "1", ARGV[7], ARGV[8], ARGV[9]
local profile = {}
for index = 1, PROFILE_PARTS do
  profile[index] = ARGV[9 + index]
end

local part = openPartition(KEYS[1])

local function newAgent()
  return {
    part = part, key = entityKey(part, NAMES.agent, namespace, id), namespace = namespace, id = id,
    ordinal = nextOrdinal(part),
  }
end

-- Registers an agent that is not registered, or its next incarnation.
local function newIncarnation(registered)
  local agent = registered or newAgent()
  local incarnation = 1 + (registered and registered.state.incarnation or lastIncarnation(part, namespace, id))
  local before = registered and { capabilities = agent.capabilities, labels = agent.labels }
  local previous = registered and agent.state.text
  local revision, time = stamp(part)
  local state = makeState(revision, time, REGISTERED, ALIVE, incarnation, 0, "null", size, content, actor)
  agent.record = makeRecord(revision, incarnation, time, time, recordParts(profile))
  agent.capabilities, agent.labels, agent.ttl = profile[P.capabilities], profile[P.labels], tonumber(profile[P.ttl])
  agent.sequence, agent.reported = 0, nil
  agent.due = freshDue(agent, state.state)
  commitState(agent, state, previous, before and (before.capabilities .. "," .. before.labels), true)
  placeLease(agent)
  indexScope(agent, before, agent)
  freeSlots(agent)
  if not registered then
    redis.call("ZADD", part.base .. NAMES.agents .. namespace, int(agent.ordinal), id)
    exhume(part, namespace, id)
  end
  saveAgent(agent, true)
  return agent, applyHeld(agent)
end

local function register()
  local answered = recall(part, REGISTER, namespace, id, requestId)
  if answered then
    return { answered }
  end
  local registered = loadAgent(part, namespace, id)
  local agent, outcomes = registered, {}
  if registered and keepsState then
    -- How the agent lives and works is its own affair and stays.
    local own = recordOf(registered).parts
    profile[P.ttl] = int(registered.ttl)
    profile[P.maxConcurrentTasks], profile[P.taskDelivery] = own[P.maxConcurrentTasks], own[P.taskDelivery]
    if profile[P.labels] == "{}" then
      profile[P.labels] = registered.labels
    end
    changeProfile(registered, profile)
  else
    agent, outcomes = newIncarnation(registered)
  end
  local answer = "[" .. (registered and "0" or "1") .. "," .. agentText(agent) .. "]"
  remember(part, REGISTER, namespace, id, requestId, answer)
  table.insert(outcomes, 1, answer)
  return outcomes
end

return (within(part, register))
