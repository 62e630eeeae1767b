-- ReserveSlot: takes room at an agent for an attempt. Nothing of it is in the log.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..5] namespace, agent id, incarnation
-- ARGV[6]    session and task, as `SESSION/TASK`
-- ARGV[7]    the attempt
-- result     "reserved" and the agent's revision; "unavailable"; or "full" and the time, then `SESSION/TASK` and `attempt time` of
--            each slot
--
-- @include agent

local ALIVE, IDLE, ACTIVE = 1, 3, 4
local MAX_CONCURRENT_TASKS = 5
local namespace, id, incarnation, slot, attempt = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local part = openPartition(KEYS[1])

local function reserve()
  local agent = loadAgent(part, namespace, id)
  if not agent or agent.state.incarnation ~= incarnation then
    return { "unavailable" }
  end
  local key = entityKey(part, NAMES.slots, namespace, id)
  local held = read("HGET", key, slot)
  local heldAttempt = held and (tonumber(string.match(held, "^(%d+) %d+$")) or fail("CORRUPT", key))
  if heldAttempt == attempt then
    return { "reserved", int(agent.state.revision) }
  end
  local state, room = agent.state.state, tonumber(recordOf(agent).parts[MAX_CONCURRENT_TASKS])
  local takesTasks = agent.state.liveness == ALIVE and (state == IDLE or (state == ACTIVE and room > 1))
  if not takesTasks or (held and heldAttempt > attempt) then
    return { "unavailable" }
  end
  local _, now = stamp(part)
  if not held and redis.call("HLEN", key) >= room then
    return { "full", int(now), unpack(redis.call("HGETALL", key)) }
  end
  redis.call("HSET", key, slot, int(attempt) .. " " .. int(now))
  return { "reserved", int(agent.state.revision) }
end

return (within(part, reserve))
