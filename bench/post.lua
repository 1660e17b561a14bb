-- A chat request of 500 bytes, for wrk. STREAM in the environment asks for a stream.
local stream = os.getenv("STREAM") and ',"stream":true' or ""
local head = '{"model":"m"' .. stream .. ',"messages":[{"role":"user","content":"'
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer sk-0123456789"
wrk.body = head .. string.rep("x", 500 - #head - 4) .. '"}]}'
