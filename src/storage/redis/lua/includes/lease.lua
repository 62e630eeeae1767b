-- Leases. An agent's hash says when its lease runs out (`due`); `leases` says when to look at it next. A renewal moves only the
-- first, and whoever looks too early puts the agent back.
--
-- An agent with a lease is in exactly one place: in `leases` (ALIVE or SUSPECT), in `overdue` (SUSPECT, its time to become LOST
-- has come), or in neither (LOST). A FINISHED agent's lease is over: nobody waits for its next sign of life.
--
-- @include agent

local ALIVE, SUSPECT, LOST = 1, 2, 3
local LIVENESS_CHANGED = 3

local function leaseMember(agent)
  return agent.namespace .. "/" .. agent.id
end

local function lookAt(agent, time)
  redis.call("ZADD", agent.part.base .. NAMES.leases, int(time), leaseMember(agent))
end

-- When a lease that begins or is renewed now runs out; 0 without a lease.
local function freshDue(agent, state)
  return (agent.ttl == 0 or TERMINAL[state]) and 0 or NOW_MS + agent.ttl
end

-- Puts an agent where its lease belongs, after `due` was set anew.
local function placeLease(agent)
  redis.call("ZREM", agent.part.base .. NAMES.overdue, leaseMember(agent))
  if agent.due == 0 then
    redis.call("ZREM", agent.part.base .. NAMES.leases, leaseMember(agent))
  else
    lookAt(agent, agent.due)
  end
end

-- Commits another liveness. What the agent said stays.
local function observe(agent, liveness)
  local before = agent.state
  local revision, time = stamp(agent.part)
  local state = makeState(revision, time, LIVENESS_CHANGED, liveness, before.incarnation, agent.sequence,
    before.reportTime, before.size, contentOf(before), SETTINGS.lease_actor)
  commitState(agent, state, before.text)
end

-- The agent has shown that it is alive.
local function renewLease(agent)
  if agent.due ~= 0 then
    agent.due = NOW_MS + agent.ttl
  end
  if agent.state.liveness ~= ALIVE then
    observe(agent, ALIVE)
    placeLease(agent)
  end
end

-- Gives a fresh lease; the agent's liveness waits for its own renewal.
local function forgiveLease(agent)
  agent.due = NOW_MS + agent.ttl
  lookAt(agent, agent.due)
end

-- Refuses callers that are not the agent's current incarnation. 0: not checked.
local function checkIncarnation(agent, incarnation)
  local current = agent.state.incarnation
  if incarnation == 0 or incarnation == current then
    return nil
  end
  local code = incarnation < current and "STALE_INCARNATION" or "UNKNOWN_INCARNATION"
  return '["' .. code .. '","' .. int(current) .. '"]'
end
