"""`/actuator/*` in Spring Boot's conventions (contract 3): a module for each endpoint, and what they have in common."""
