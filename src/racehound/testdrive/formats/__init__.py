"""What messages are made of: encoders and decoders as plain functions over text and bytes, which know no broker."""
