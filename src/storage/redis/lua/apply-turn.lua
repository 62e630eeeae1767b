-- SetState and Heartbeat: all that were called in one turn of a replica's event loop, in the order of the calls. Each is a command
-- of its own: it commits or is refused whatever becomes of the others.
--
-- KEYS    the meta key of each partition that is touched
-- ARGV    see time.lua, then for each command either
--           "R"  index into KEYS, namespace, agent id, and the parts of a report (see report.lua)
--           "L"  index into KEYS, namespace, agent id, incarnation (0: any)
-- result  one string for each command: of a report its outcome (see report.lua); of a heartbeat `ttl remaining`, or a refusal as
--         a JSON array; `!` and the failure when the command failed
--
-- @include report

local partitions = {}
for index, key in ipairs(KEYS) do
  partitions[index] = openPartition(key)
end

local function heartbeat(part, namespace, id, incarnation)
  local agent = loadAgent(part, namespace, id)
  if not agent then
    return refuse("AGENT_NOT_FOUND")
  end
  local refusal = checkIncarnation(agent, incarnation)
  if refusal then
    return refusal
  end
  local wasAlive = agent.state.liveness == ALIVE
  renewLease(agent)
  if not wasAlive then
    saveAgent(agent)
  elseif agent.due ~= 0 then
    redis.call("HSET", agent.key, "due", int(agent.due))
  end
  return agent.due == 0 and "0 0" or int(agent.ttl) .. " " .. int(agent.ttl)
end

local results = {}

local function run(command, ...)
  local ok, result = pcall(command, ...)
  if ok then
    results[#results + 1] = result
  else
    results[#results + 1] = "!" .. (type(result) == "table" and result.err or tostring(result))
  end
end

local at = 3
while at <= #ARGV do
  local kind, part, namespace, id = ARGV[at], partitions[tonumber(ARGV[at + 1])], ARGV[at + 2], ARGV[at + 3]
  at = at + 4
  if kind == "R" then
    local report = {}
    for index = 1, REPORT_PARTS do
      report[index] = ARGV[at + index - 1]
    end
    at = at + REPORT_PARTS
    run(takeReport, part, namespace, id, report)
  else
    run(heartbeat, part, namespace, id, tonumber(ARGV[at]))
    at = at + 1
  end
end

for _, part in ipairs(partitions) do
  closePartition(part)
end
return results
