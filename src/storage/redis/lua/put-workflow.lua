-- PutWorkflow.
--
-- KEYS[1]    the partition's meta key
-- ARGV       see time.lua, then
-- ARGV[3..4] namespace, workflow id
-- ARGV[5]    the revision that the workflow must have; 0: any, or none
-- ARGV[6]    display name, description, version and tasks, as JSON without the brackets around them
-- result     the workflow as JSON (see workflow.lua), after `1` when it is new and `0` when not; or a refusal whose first element is
--            its code
--
-- @include workflow

local namespace, id, expected, content = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local part = openPartition(KEYS[1])

local before = loadWorkflow(part, namespace, id)
local refusal = checkRevision(before, expected)
if refusal then
  return refusal
end
local _, time = stamp(part)
local revision = redis.call("HINCRBY", part.meta, "workflows", 1)
local text = string.format("[1,%d,%d,%d,", revision, before and before.createTime or time, time) .. content .. "]"
redis.call("SET", workflowKey(part, namespace, id), text)
redis.call("ZADD", part.base .. NAMES.workflows .. namespace, 0, id)
return (before and "0" or "1") .. text
