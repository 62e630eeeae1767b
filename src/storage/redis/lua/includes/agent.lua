-- Agents: one hash each. Records are JSON arrays that scripts can take apart without parsing:
--
--   state   [1, revision, time, cause, liveness, incarnation, sequence, reportTime, size, bytes of content, content…, actor]
--           where content… is: state, reason, message, sessionId, taskId, details
--   record  [1, revision, incarnation, registerTime, updateTime, [bytes of each of the rest], displayName, version,
--           contactEndpoint, metadata]
--
-- The first number is the version of the encoding. Content arrives in canonical form, so the same text is the same content.
--
-- @include partition

local UNCHANGED = "0"

local function entityKey(part, name, namespace, id)
  return part.base .. name .. namespace .. "/" .. id
end

-- Takes a state apart as far as commands want it: strings and numbers cost more than the rest of a command.
local function parseState(text)
  local revision, time, liveness, incarnation, reportTime, size, length, at = string.match(
    text, "^%[1,(%d+),(%d+),%d,(%d),(%d+),%d+,([^,]+),(%d+),(%d+),()")
  if not revision then
    return nil
  end
  return {
    text = text, revision = tonumber(revision), time = tonumber(time), liveness = tonumber(liveness),
    incarnation = tonumber(incarnation), reportTime = reportTime, size = size, length = tonumber(length), at = at,
    state = tonumber(string.sub(text, at, at)),
  }
end

local function makeState(revision, time, cause, liveness, incarnation, sequence, reportTime, size, content, actor)
  local head = string.format("[1,%d,%d,%d,%d,%d,%d,%s,%s,%d,", revision, time, cause, liveness, incarnation,
    sequence, reportTime, size, #content)
  return {
    text = head .. content .. "," .. actor .. "]", revision = revision, time = time, cause = cause,
    liveness = liveness, incarnation = incarnation, reportTime = reportTime, size = size, length = #content, at = #head + 1,
    state = tonumber(string.sub(content, 1, 1)),
  }
end

local function contentOf(state)
  return string.sub(state.text, state.at, state.at + state.length - 1)
end

local function parseRecord(text)
  local revision, incarnation, registerTime, updateTime, a, b, c, d, e, f, at = string.match(
    text, "^%[1,(%d+),(%d+),(%d+),(%d+),%[(%d+),(%d+),(%d+),(%d+),(%d+),(%d+)%],()")
  if not revision then
    return nil
  end
  local parts = {}
  for index, length in ipairs({ a, b, c, d, e, f }) do
    parts[index] = string.sub(text, at, at + tonumber(length) - 1)
    at = at + tonumber(length) + 1
  end
  return {
    text = text, revision = tonumber(revision), incarnation = tonumber(incarnation),
    registerTime = tonumber(registerTime), parts = parts,
  }
end

-- parts: displayName, version, contactEndpoint, metadata, maxConcurrentTasks, taskDelivery, each as JSON
local function makeRecord(revision, incarnation, registerTime, updateTime, parts)
  local head = string.format("[1,%d,%d,%d,%d,[%d,%d,%d,%d,%d,%d],", revision, incarnation, registerTime,
    updateTime, #parts[1], #parts[2], #parts[3], #parts[4], #parts[5], #parts[6])
  return {
    text = head .. table.concat(parts, ",") .. "]", revision = revision, incarnation = incarnation,
    registerTime = registerTime, parts = parts,
  }
end

-- The newest report time of an incarnation, which has not always one.
local function reportedText(agent)
  return agent.reported and string.format("%.17g", agent.reported) or ""
end

-- The parts of a record, from a list that begins with them.
local function recordParts(list)
  return { list[1], list[2], list[3], list[4], list[5], list[6] }
end

-- Reads an agent; nil when it is not registered. Fails with CORRUPT and the key when what is there is not an agent.
local function loadAgent(part, namespace, id)
  local key = entityKey(part, NAMES.agent, namespace, id)
  local state, record, capabilities, labels, ttl, sequence, reported, due, ordinal = unpack(
    read("HMGET", key, "state", "record", "capabilities", "labels", "ttl", "sequence", "reported", "due", "ordinal"))
  if not state and redis.call("EXISTS", key) == 0 then
    return nil
  end
  local agent = {
    part = part, key = key, namespace = namespace, id = id,
    state = state and parseState(state), record = record, capabilities = capabilities, labels = labels,
    ttl = tonumber(ttl), sequence = tonumber(sequence), reported = tonumber(reported), due = tonumber(due),
    ordinal = tonumber(ordinal),
  }
  if not (agent.state and record and capabilities and labels and agent.ttl and agent.sequence and agent.due
      and agent.ordinal) then
    fail("CORRUPT", key)
  end
  return agent
end

-- The parsed record; few commands look at it.
local function recordOf(agent)
  if type(agent.record) == "string" then
    agent.record = parseRecord(agent.record) or fail("CORRUPT", agent.key)
  end
  return agent.record
end

local function recordText(agent)
  return type(agent.record) == "string" and agent.record or agent.record.text
end

-- When the lease runs out; 0 without one. Kept as a number here, as JSON in what is sent.
local function dueText(agent)
  return agent.due == 0 and "null" or int(agent.due)
end

-- An agent as callers get it.
local function agentText(agent)
  return "[" .. agent.state.text .. "," .. recordText(agent) .. "," .. agent.capabilities .. "," .. agent.labels .. ","
    .. int(agent.ttl) .. "," .. dueText(agent) .. "]"
end

-- Writes what changes often; with withProfile, everything.
local function saveAgent(agent, withProfile)
  if withProfile then
    redis.call("HSET", agent.key, "state", agent.state.text, "sequence", int(agent.sequence),
      "reported", reportedText(agent), "due", int(agent.due), "record", recordText(agent), "capabilities", agent.capabilities, "labels", agent.labels, "ttl", int(agent.ttl),
      "ordinal", int(agent.ordinal))
  else
    redis.call("HSET", agent.key, "state", agent.state.text, "sequence", int(agent.sequence),
      "reported", reportedText(agent), "due", int(agent.due))
  end
end

-- Frees the room that is taken by tasks: who had it is gone.
local function freeSlots(agent)
  redis.call("DEL", entityKey(agent.part, NAMES.slots, agent.namespace, agent.id))
end

-- Appends a commit to the log.
--
-- previous       the state before, as text; UNCHANGED when the commit left the state alone; nil when there was none
-- previousScope  the capabilities and labels before, where they may have changed
-- withAgent      whether the entry carries the agent
local function logAgent(agent, revision, kind, previous, previousScope, withAgent)
  local whole = withAgent and (recordText(agent) .. "," .. int(agent.ttl) .. "," .. dueText(agent)) or "null,null,null"
  appendLog(agent.part, revision, "[1,1," .. kind .. ',"' .. agent.namespace .. '","' .. agent.id .. '",'
    .. agent.state.text .. "," .. (previous or "null") .. "," .. agent.capabilities .. "," .. agent.labels .. ","
    .. (previousScope or "null,null") .. "," .. whole .. "]")
end

-- The key goes by itself some time after the last of what is in it may be read. It is told so once in each stretch of time, by the
-- first commit in it; before is the time of the commit before, nil when there was none.
local function appendHistory(agent, before)
  local key = entityKey(agent.part, NAMES.history, agent.namespace, agent.id)
  local state = agent.state
  if redis.call("RPUSH", key, state.text) > SETTINGS.history_limit then
    redis.call("LPOP", key)
  end
  local stretch = SETTINGS.afterlife_ms / 2
  if not before or math.floor(before / stretch) ~= math.floor(state.time / stretch) then
    redis.call("PEXPIRE", key, SETTINGS.history_age_ms + SETTINGS.afterlife_ms)
  end
end

local function indexState(agent, before)
  local now = agent.state.state
  if before ~= now then
    local member = agent.id
    if before then
      redis.call("ZREM", entityKey(agent.part, NAMES.state, agent.namespace, before), member)
    end
    redis.call("ZADD", entityKey(agent.part, NAMES.state, agent.namespace, now), int(agent.ordinal), member)
  end
end

-- Commits a state: the log, the history and the index of states. The caller saves the agent.
local function commitState(agent, state, previous, previousScope, withAgent)
  local before = previous and agent.state
  agent.state = state
  logAgent(agent, state.revision, state.cause, previous, previousScope, withAgent)
  appendHistory(agent, before and before.time)
  indexState(agent, before and before.state)
end

local function scopeKeys(agent, capabilities, labels)
  local keys = {}
  for _, capability in ipairs(cjson.decode(capabilities)) do
    keys[entityKey(agent.part, NAMES.capability, agent.namespace, capability)] = true
  end
  for label, value in pairs(cjson.decode(labels)) do
    keys[entityKey(agent.part, NAMES.label, agent.namespace, label .. "=" .. value)] = true
  end
  return keys
end

-- Moves an agent between the indexes of capabilities and labels. Either scope may be nil: it has come, or it goes.
local function indexScope(agent, before, after)
  local old = before and scopeKeys(agent, before.capabilities, before.labels) or {}
  local new = after and scopeKeys(agent, after.capabilities, after.labels) or {}
  for key in pairs(old) do
    if not new[key] then
      redis.call("ZREM", key, agent.id)
    end
  end
  for key in pairs(new) do
    if not old[key] then
      redis.call("ZADD", key, int(agent.ordinal), agent.id)
    end
  end
end
