-- StartSession. Whether there is such an agent was asked before, in its own partition.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..4] namespace, session id
-- ARGV[5]    request id, or empty
-- ARGV[6]    "1" when the agent is registered
-- ARGV[7..9] agent id, workflow id, metadata, each as JSON
-- result     the session as JSON (see session.lua), or a refusal whose first element is its code
--
-- @include session

local START = "start-session"
local STARTED = 1
local namespace, id, requestId, isRegistered = ARGV[3], ARGV[4], ARGV[5], ARGV[6] == "1"
local part = openPartition(KEYS[1])

local function start()
  local answered = recall(part, START, namespace, id, requestId)
  if answered then
    return answered
  end
  if not isRegistered then
    return '["AGENT_NOT_FOUND"]'
  end
  if loadSession(part, namespace, id) then
    return '["SESSION_ALREADY_EXISTS"]'
  end
  local revision, time = stamp(part)
  local session = makeSession(revision, STARTED, time, time, nil, nextOrdinal(part),
    { ARGV[7], ARGV[8], ARGV[9], "null", '""' })
  commitSession(part, namespace, id, SESSION_STARTED, session)
  indexSession(part, namespace, id, session)
  remember(part, START, namespace, id, requestId, session.text)
  return session.text
end

return (within(part, start))
