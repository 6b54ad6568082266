-- Forgets messages of a queue whose end has been reported.
--
-- ARGV[8], … -> ids in the stream of what is to be reported
--
-- Returns {how many are left to be reported}
local q = load()
if #ARGV > 7 then call('XDEL', STREAM .. ':unreported', unpack(ARGV, 8)) end
local left = call('XLEN', STREAM .. ':unreported')
if left == 0 then
  call('UNLINK', STREAM .. ':unreported')
  if q.unreported > 0 then
    set(q, 'unreported', 0)
    save(q)
  end
end
return {left}
