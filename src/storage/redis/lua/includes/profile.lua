-- What an agent says about itself.
--
-- A profile is a list of JSON texts; the places of its parts are named here.
--
-- @include lease

local P = {
  displayName = 1, version = 2, contactEndpoint = 3, metadata = 4, maxConcurrentTasks = 5, taskDelivery = 6,
  capabilities = 7, labels = 8, ttl = 9,
}
local PROFILE_PARTS = 9
local UPDATED = 4

-- Changes an agent's data, when it says something new. The lease follows: an ALIVE agent's lease begins anew; of one that is
-- SUSPECT or LOST it counts from its next renewal, for to change an agent's data is no sign of its life.
local function changeProfile(agent, profile)
  local record = recordOf(agent)
  local ttl = tonumber(profile[P.ttl])
  local isSame = ttl == agent.ttl and profile[P.capabilities] == agent.capabilities and profile[P.labels] == agent.labels
  for index = 1, #record.parts do
    isSame = isSame and profile[index] == record.parts[index]
  end
  if isSame then
    return
  end
  local before = { capabilities = agent.capabilities, labels = agent.labels }
  local isOtherLease = ttl ~= agent.ttl
  local revision, time = stamp(agent.part)
  agent.record = makeRecord(revision, record.incarnation, record.registerTime, time, recordParts(profile))
  agent.capabilities, agent.labels, agent.ttl = profile[P.capabilities], profile[P.labels], ttl
  local follows = isOtherLease and (ttl == 0 or agent.state.liveness == ALIVE)
  if follows then
    agent.due = freshDue(agent, agent.state.state)
  end
  logAgent(agent, revision, UPDATED, UNCHANGED, before.capabilities .. "," .. before.labels, true)
  if follows then
    placeLease(agent)
  end
  -- Without a lease nothing is observed: an agent that was not ALIVE is now.
  if ttl == 0 then
    renewLease(agent)
  end
  indexScope(agent, before, agent)
  saveAgent(agent, true)
end
