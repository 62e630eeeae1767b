-- Reports: SetState, and the reports that wait for a registration.
--
-- A report is a list of strings; the places of its parts are named here. What becomes of one is a string as well: `1` and the
-- new state, `0` and the state that it left as it was, or a refusal as a JSON array.
--
-- @include lease
-- @include requests

local R = {
  incarnation = 1, sequence = 2, reportTime = 3, expectedStates = 4, expectedRevision = 5, content = 6, actor = 7,
  size = 8, requestId = 9, discardIfOlder = 10, holdMs = 11, heldId = 12,
}
local REPORT_PARTS = 12
local TRANSITION = 2
local SET_STATE = "set-state"

local function refuse(code, ...)
  local list = { code, ... }
  return '["' .. table.concat(list, '","') .. '"]'
end

local function isExpected(state, report)
  local revision = tonumber(report[R.expectedRevision])
  if revision ~= 0 and revision ~= state.revision then
    return false
  end
  -- States are single digits.
  return report[R.expectedStates] == "" or string.find(report[R.expectedStates], state.state, 1, true) ~= nil
end

local function isLegal(from, to)
  return (from == to and not TERMINAL[from]) or TRANSITIONS[from][to]
end

-- Applies a report to a registered agent.
local function applyReport(agent, report)
  local current = agent.state
  local refusal = checkIncarnation(agent, tonumber(report[R.incarnation]))
  if refusal then
    return refusal
  end
  local sequence = tonumber(report[R.sequence])
  if sequence ~= 0 and sequence <= agent.sequence then
    return refuse("STALE_SEQUENCE", int(agent.sequence))
  end
  if not isExpected(current, report) then
    return refuse("STATE_MISMATCH", current.state, int(current.revision))
  end
  local reportTime = tonumber(report[R.reportTime])
  if report[R.discardIfOlder] == "1" and reportTime and agent.reported and reportTime < agent.reported then
    return "0" .. current.text
  end
  local content = report[R.content]
  local isSame = content == contentOf(current)
  local to = tonumber(string.sub(content, 1, 1))
  if not isSame and not isLegal(current.state, to) then
    return refuse("ILLEGAL_TRANSITION", current.state, to)
  end

  if sequence ~= 0 then
    agent.sequence = sequence
  end
  if reportTime and not (agent.reported and reportTime <= agent.reported) then
    -- A reporter whose clock is fast must not silence those who report after it.
    agent.reported = math.min(reportTime, math.max(agent.part.time, NOW_MS))
  end
  if isSame then
    renewLease(agent)
    saveAgent(agent)
    return "0" .. agent.state.text
  end
  local revision, time = stamp(agent.part)
  local state = makeState(revision, time, TRANSITION, ALIVE, current.incarnation, agent.sequence, report[R.reportTime],
    report[R.size], content, report[R.actor])
  if agent.due ~= 0 then
    agent.due = freshDue(agent, to)
  end
  commitState(agent, state, current.text)
  if TERMINAL[to] or current.liveness ~= ALIVE then
    placeLease(agent)
  end
  saveAgent(agent)
  return "1" .. state.text
end

local function isRefusal(outcome)
  return string.sub(outcome, 1, 1) == "["
end

-- Applies a report and remembers the answer, unless it is a refusal.
local function answerReport(agent, report)
  local outcome = applyReport(agent, report)
  if not isRefusal(outcome) then
    remember(agent.part, SET_STATE, agent.namespace, agent.id, report[R.requestId], outcome)
  end
  return outcome
end

local function answerKey(part, namespace, id, heldId)
  return entityKey(part, NAMES.answer, namespace, id) .. "/" .. heldId
end

-- Held reports end by Redis's own clock, as the timers of those who wait for them do.
local function parseHeld(text)
  local ordinal, deadline, report = string.match(text, "^(%d+) (%d+) (.*)$")
  return { ordinal = tonumber(ordinal), deadline = tonumber(deadline), report = report }
end

-- Drops the reports whose replica did not live to withdraw them.
local function dropExpired(key)
  local fields = redis.call("HGETALL", key)
  for index = 1, #fields, 2 do
    if parseHeld(fields[index + 1]).deadline <= REAL_MS then
      redis.call("HDEL", key, fields[index])
    end
  end
end

-- Holds a report until its agent is registered. Answers `H`; a repeat of one that is held joins it.
local function holdReport(part, namespace, id, report)
  local holdMs = tonumber(report[R.holdMs])
  if holdMs == 0 then
    return refuse("AGENT_NOT_FOUND")
  end
  if holdMs < 0 then
    return refuse("TOO_MANY", "0")
  end
  local key = entityKey(part, NAMES.held, namespace, id)
  local heldId = report[R.heldId]
  if redis.call("HEXISTS", key, heldId) == 1 then
    return "H"
  end
  if redis.call("HLEN", key) >= SETTINGS.held_limit then
    dropExpired(key)
    if redis.call("HLEN", key) >= SETTINGS.held_limit then
      return refuse("TOO_MANY", SETTINGS.held_limit)
    end
  end
  local text = int(nextOrdinal(part)) .. " " .. int(REAL_MS + holdMs) .. " " .. cjson.encode(report)
  redis.call("HSET", key, heldId, text)
  redis.call("PEXPIRE", key, int(math.max(redis.call("PTTL", key), holdMs + SETTINGS.afterlife_ms)))
  redis.call("DEL", answerKey(part, namespace, id, heldId))
  return "H"
end

-- Takes one report, for an agent that may not be registered.
local function takeReport(part, namespace, id, report)
  local answered = recall(part, SET_STATE, namespace, id, report[R.requestId])
  if answered then
    return answered
  end
  local agent = loadAgent(part, namespace, id)
  if agent then
    return answerReport(agent, report)
  end
  return holdReport(part, namespace, id, report)
end

-- Applies what was held for an agent that has just been registered, in arrival order; each is a commit, or a failure, of its own.
-- Answers pairs of held id and outcome, which it also leaves where the replicas that wait for them find them.
local function applyHeld(agent)
  local key = entityKey(agent.part, NAMES.held, agent.namespace, agent.id)
  local fields = redis.call("HGETALL", key)
  local waiting = {}
  for index = 1, #fields, 2 do
    local held = parseHeld(fields[index + 1])
    held.id = fields[index]
    if held.deadline > REAL_MS then
      waiting[#waiting + 1] = held
    end
  end
  if #fields > 0 then
    redis.call("DEL", key)
  end
  table.sort(waiting, function(a, b) return a.ordinal < b.ordinal end)
  local outcomes = {}
  for _, held in ipairs(waiting) do
    local outcome = answerReport(agent, cjson.decode(held.report))
    redis.call("SET", answerKey(agent.part, agent.namespace, agent.id, held.id), outcome, "PX", SETTINGS.afterlife_ms)
    outcomes[#outcomes + 1] = held.id
    outcomes[#outcomes + 1] = outcome
  end
  return outcomes
end
