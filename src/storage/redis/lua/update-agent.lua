-- UpdateAgent: changes some of an agent's data.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..4] namespace, agent id
-- ARGV[5]    request id, or empty
-- ARGV[6]    the revision that the agent's record must have; 0: any
-- ARGV[7..]  the parts of the profile (see profile.lua); empty: stays as it is
-- result     the agent as JSON (see agent.lua), or a refusal whose first element is its code
--
-- @include requests
-- @include profile

local UPDATE = "update"
local namespace, id, requestId, expectedRevision = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local part = openPartition(KEYS[1])

local function update()
  local answered = recall(part, UPDATE, namespace, id, requestId)
  if answered then
    return answered
  end
  local agent = loadAgent(part, namespace, id)
  if not agent then
    return '["AGENT_NOT_FOUND"]'
  end
  local record = recordOf(agent)
  if expectedRevision ~= 0 and expectedRevision ~= record.revision then
    return '["RECORD_MISMATCH","' .. int(record.revision) .. '"]'
  end
  local profile = recordParts(record.parts)
  profile[P.capabilities], profile[P.labels], profile[P.ttl] = agent.capabilities, agent.labels, int(agent.ttl)
  for index = 1, PROFILE_PARTS do
    if ARGV[6 + index] ~= "" then
      profile[index] = ARGV[6 + index]
    end
  end
  changeProfile(agent, profile)
  local answer = agentText(agent)
  remember(part, UPDATE, namespace, id, requestId, answer)
  return answer
end

return (within(part, update))
