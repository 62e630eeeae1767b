-- Documents: one string each, `REVISION BODY`, and for each kind the names of those that there are.
--
-- @include partition

local function documentKey(part, kind, name)
  return part.base .. NAMES.document .. kind .. "/" .. name
end

local function documentsKey(part, kind)
  return part.base .. NAMES.documents .. kind
end

-- 0 when there is none.
local function documentRevision(key)
  local text = read("GET", key)
  if not text then
    return 0
  end
  return tonumber(string.match(text, "^(%d+) ")) or fail("CORRUPT", key)
end
