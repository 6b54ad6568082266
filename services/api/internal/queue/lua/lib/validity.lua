-- When messages stop being valid, by Redis's clock. The ends of a queue's messages that have one
-- stand in the sorted set ENDS: id -> ms. What is past its end is dropped before anything is
-- read; see lapse.lua.

-- rfc3339 writes a time, ms, as RFC 3339 does, in whole seconds, UTC.
local function rfc3339(at)
  local floor = math.floor
  local s = floor(at / 1000)
  local z = floor(s / 86400) + 719468 -- days since the 1st of March of the year 0
  local era = floor(z / 146097)
  local day = z - era * 146097
  local year = floor((day - floor(day / 1460) + floor(day / 36524) - floor(day / 146096)) / 365)
  local rest = day - (365 * year + floor(year / 4) - floor(year / 100))
  local m = floor((5 * rest + 2) / 153) -- counted from March
  local month = m < 10 and m + 3 or m - 9
  return string.format('%04d-%02d-%02dT%02d:%02d:%02dZ', year + era * 400 + (month <= 2 and 1 or 0), month,
    rest - floor((153 * m + 2) / 5) + 1, floor(s / 3600) % 24, floor(s / 60) % 60, s % 60)
end

-- read_ends reads "<i>:<end> <i>:+<ttl> …": of the i-th message of the batch, counted from 0, the
-- end, ms, or how long it is valid, ms. Of those, payloads say the end as the property
-- qst-valid-until from now on. new are the places in ARGV of the payloads. Returns the ends by
-- place in payloads, and how the batch may be handed off (see waiter.lua).
local function read_ends(text, new, first, payloads)
  local at, by_place, ends, how = now(), {}, {}, ''
  for i, relative, value in string.gmatch(text, '(%d+):(%+?)(%d+)') do by_place[first + 2 * i] = {relative, tonumber(value)} end
  for i, place in ipairs(new) do
    local valid = by_place[place]
    if valid then
      ends[i] = valid[2]
      if valid[1] == '+' then
        ends[i] = at + valid[2]
        if how == '' then how = 'stamped' end
        payloads[i] = string.gsub(payloads[i], '}( ?)$', ',"qst-valid-until":"' .. rfc3339(ends[i]) .. '"}%1')
      elseif ends[i] <= at then
        how = 'wake'
      end
    end
  end
  return ends, how
end

-- keep_ends notes when messages stop being valid. ends are by place in ids; a gap is none.
local function keep_ends(q, ids, ends)
  for i, id in ipairs(ids) do
    local to = ends[i]
    if to then
      call('ZADD', ENDS, to, id)
      if q.ends == 0 or to < q.ends then set(q, 'ends', to) end
    end
  end
  if q.ends > 0 then expect(q, q.ends) end
end
