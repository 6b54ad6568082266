-- What was taken before, within the deduplication window: digests, and when the message of each
-- was taken, by Redis's clock alone. There are two generations. When the present one is as old as
-- the window, or has half as many digests as there may be, it becomes the one before, and what
-- that was is forgotten. So a digest is kept for one window at least, unless there are too many.

local SEEN, SEEN_BEFORE = STREAM .. ':seen', STREAM .. ':seen_before'
local CHUNK = 1000 -- digests in a command

-- seen_before returns, by digest, when the messages were taken that are seen before, ms.
-- Digests are every second argument from first on; '' is none.
local function seen_before(first)
  local taken, digests = {}, {}
  for i = first, #ARGV, 2 do
    if ARGV[i] ~= '' then digests[#digests + 1] = ARGV[i] end
    if #digests == CHUNK or i + 1 == #ARGV and #digests > 0 then
      for _, generation in ipairs({SEEN_BEFORE, SEEN}) do
        for n, at in ipairs(call('HMGET', generation, unpack(digests))) do
          if at then taken[digests[n]] = tonumber(at) end
        end
      end
      digests = {}
    end
  end
  return taken
end

-- remember keeps the digests of what was taken now. Returns how many others are forgotten
-- before their time, as there would be more than max.
local function remember(q, digests, at, window, max)
  local forgotten = 0
  local full = call('HLEN', SEEN) + #digests > max / 2
  if full or q.rotate_at <= at then
    if full and q.rotate_at > at then forgotten = call('HLEN', SEEN_BEFORE) end
    call('UNLINK', SEEN_BEFORE)
    if call('EXISTS', SEEN) == 1 then
      call('RENAME', SEEN, SEEN_BEFORE)
      call('PEXPIRE', SEEN_BEFORE, 2 * window)
    end
    set(q, 'rotate_at', at + window)
  end
  -- Redis turns each number that a command is given into text, which takes longer than to store it.
  local time = string.format('%.0f', at)
  for i = 1, #digests, CHUNK do
    local args, n = {'HSET', SEEN}, 2
    for j = i, math.min(i + CHUNK - 1, #digests) do
      args[n + 1], args[n + 2] = digests[j], time
      n = n + 2
    end
    call(unpack(args))
  end
  if q.rotate_at == at + window then call('PEXPIRE', SEEN, 3 * window) end
  return forgotten
end
