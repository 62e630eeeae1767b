-- ListDocuments.
--
-- KEYS[1]     the partition's meta key
-- ARGV        see time.lua, then
-- ARGV[3]     kind
-- ARGV[4]     the range of names, as ZRANGEBYLEX takes it: its lower and
-- ARGV[5]     its upper end
-- ARGV[6]     how many to answer with, at most
-- ARGV[7]     1 when more than a page holds is not wanted
-- result      name and document of each, in the order of the names; a document that is gone is the empty string, and
--             what is of another type, or empty, is a question mark, which is no document either: it keeps no other from being told
--
-- @include document

local part = openPartition(KEYS[1])
local kind = ARGV[3]
-- More than a page holds.
local MAX_BYTES = 1048576

local function textOf(key)
  local found = redis.call("TYPE", key).ok
  if found == "none" then
    return ""
  end
  local text = found == "string" and redis.call("GET", key) or ""
  return text == "" and "?" or text
end

local result, bytes = {}, 0
for _, name in ipairs(read("ZRANGEBYLEX", documentsKey(part, kind), ARGV[4], ARGV[5], "LIMIT", 0, tonumber(ARGV[6]))) do
  result[#result + 1] = name
  result[#result + 1] = textOf(documentKey(part, kind, name))
  bytes = bytes + #result[#result]
  if ARGV[7] == "1" and bytes > MAX_BYTES then
    break
  end
end
return result
