package gateway

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
)

// appendVectors writes an answer of the embeddings API. In base64 a vector is little-endian float32; OpenAI's SDKs ask for that.
func appendVectors(b []byte, model string, vectors [][]float32, used int, inBase64 bool) []byte {
	b = append(b, `{"object":"list","data":[`...)
	for i, v := range vectors {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"object":"embedding","index":`...)
		b = appendInt(b, i)
		b = append(b, `,"embedding":`...)
		if inBase64 {
			raw := make([]byte, 0, 4*len(v))
			for _, x := range v {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
			}
			b = append(b, '"')
			b = base64.StdEncoding.AppendEncode(b, raw)
			b = append(b, `"}`...)
			continue
		}
		b = append(b, '[')
		for j, x := range v {
			if j > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
		}
		b = append(b, "]}"...)
	}
	b = append(b, `],"model":`...)
	b = appendString(b, model)
	b = append(b, `,"usage":{"prompt_tokens":`...)
	b = appendInt(b, used)
	b = append(b, `,"total_tokens":`...)
	b = appendInt(b, used)
	return append(b, "}}\n"...)
}
