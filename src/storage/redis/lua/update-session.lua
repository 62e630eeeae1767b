-- UpdateSession. With the end of a session its tasks that have not ended are CANCELLED.
--
-- KEYS[1]     the partition's meta key
-- ARGV        see time.lua, then
-- ARGV[3..4]  namespace, session id
-- ARGV[5]     request id, or empty
-- ARGV[6]     the revision that the session must have; 0: any
-- ARGV[7..10] status as a number; metadata, result and error as JSON. Empty: stays as it is
-- result      the session as JSON (see session.lua), or a refusal whose first element is its code
--
-- @include ended

local UPDATE = "update-session"
local namespace, id, requestId, expectedRevision = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local part = openPartition(KEYS[1])

local function isLegal(from, to)
  return (from == to and not SESSION_ENDS[from]) or SESSION_TRANSITIONS[from][to]
end

local function apply(current)
  if SESSION_ENDS[current.status] then
    return '["SESSION_ENDED","' .. current.status .. '"]'
  end
  if expectedRevision ~= 0 and expectedRevision ~= current.revision then
    return '["STATE_MISMATCH","' .. current.status .. '","' .. int(current.revision) .. '"]'
  end
  local status = tonumber(ARGV[7]) or current.status
  if not isLegal(current.status, status) then
    return '["ILLEGAL_TRANSITION","' .. current.status .. '","' .. status .. '"]'
  end
  local parts, isSame = { unpack(current.parts) }, status == current.status
  for index, place in ipairs({ S.metadata, S.result, S.error }) do
    local given = ARGV[7 + index]
    if given ~= "" and given ~= parts[place] then
      parts[place], isSame = given, false
    end
  end
  if isSame then
    return current.text
  end
  local ends = SESSION_ENDS[status]
  local run = ends and loadRun(part, namespace, id, current)
  if run then
    loadAll(run)
    cancelOpen(run, parts[S.error])
    saveRun(run)
  end
  local revision, time = stamp(part)
  local session = makeSession(revision, status, current.startTime, time, ends and time, current.ordinal, parts)
  commitSession(part, namespace, id, ends and SESSION_ENDED or SESSION_UPDATED, session, current.status)
  if ends then
    forgetEnded(part, FORGOTTEN_AT_ONCE)
  end
  return session.text
end

local function update()
  local answered = recall(part, UPDATE, namespace, id, requestId)
  if answered then
    return answered
  end
  local current = loadSession(part, namespace, id)
  if not current then
    return '["SESSION_NOT_FOUND"]'
  end
  local answer = apply(current)
  if string.sub(answer, 2, 2) ~= '"' then
    remember(part, UPDATE, namespace, id, requestId, answer)
  end
  return answer
end

return (within(part, update))
